"""The answer that shows something else because what was asked for cannot be read at the moment."""

from __future__ import annotations

from flask import make_response
from werkzeug.wrappers import Response

from webapp.stale import mark_stale

RETRY_AFTER_S = 5


def instead_page(page: str, *, shown: bool) -> Response:
    """The page, marked; 503 when there is nothing `shown` instead."""
    mark_stale("page")
    response = make_response(page, 200 if shown else 503)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
