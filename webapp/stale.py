"""Which parts of the answer being made are older copies: a page says so in a notice, the API in a header."""

from __future__ import annotations

from flask import g, has_request_context, make_response
from werkzeug.wrappers import Response

RETRY_AFTER_S = 5
HEADER = "X-ECRS-Stale"
"""Names of the parts, with commas between; absent when all of the answer is as of now."""


def mark_stale(part: str) -> None:
    """Say that `part` (a lower-case word) of this request's answer is an older copy or a stand-in."""
    if has_request_context():
        g.setdefault("stale", set()).add(part)


def stale_parts() -> list[str]:
    """The parts marked in this request, in order."""
    return sorted(g.get("stale", ())) if has_request_context() else []


def stand_in_page(page: str, *, shown: bool) -> Response:
    """The answer with this page instead of what was asked for; 503 when there is nothing `shown` on it."""
    mark_stale("page")
    response = make_response(page, 200 if shown else 503)
    response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response
