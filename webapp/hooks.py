"""What happens around every request: its id, one log line, security headers, addresses of static files."""

from __future__ import annotations

import re
import time
import uuid
from functools import partial
from typing import Any

import structlog
from flask import Flask, Response, current_app, g, request, url_for
from structlog.contextvars import bind_contextvars, clear_contextvars

from services.common.rpc import calls
from webapp.assets import static_url
from webapp.headers import SECURITY_HEADERS, content_security_policy
from webapp.i18n import gettext as _
from webapp.photos import photo
from webapp.pictures import picture
from webapp.shop import current_shop
from webapp.shopper import current_shopper
from webapp.stale import HEADER as STALE
from webapp.stale import stale_parts
from webapp.storefront.cards import card_html
from webapp.storefront.wording import noun, nouns

_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,64}")
DEPARTMENTS = 7  # categories in the header of every page
log = structlog.get_logger("webapp.http")


def install(app: Flask) -> None:
    """Register the hooks on the application."""
    app.before_request(_begin)
    app.after_request(_finish)
    app.teardown_request(_forget)
    app.context_processor(_template_context)


def _begin() -> None:
    """Bind the request id, so that logs carry it and gRPC clients pass it on."""
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
    g.started = time.perf_counter()
    calls.request_id.set(g.request_id)
    clear_contextvars()
    bind_contextvars(request_id=g.request_id)


def _forget(_: BaseException | None) -> None:
    """Clear the request id, so that no later log line or call carries it."""
    calls.request_id.set("")
    clear_contextvars()


def _finish(response: Response) -> Response:
    pictures = current_shop().image_origins
    if pictures.listed and response.mimetype == "text/html":
        policy = content_security_policy(pictures.listed)
        response.headers.setdefault("Content-Security-Policy", policy)
    for name, value in SECURITY_HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers["X-Request-ID"] = g.request_id
    if stale := stale_parts():
        response.headers[STALE] = ", ".join(stale)
    if request.endpoint != "static":
        # A shopper's page is the shopper's alone, and must be made anew when the way leads back to it. Only
        # the API, whose answers are no shopper's, says something else.
        response.headers.setdefault("Cache-Control", "private, no-store")
        response.vary.add("Cookie")
    took_ms = round((time.perf_counter() - g.started) * 1000, 1)
    log.info(
        "http.request", method=request.method, path=request.path, status=response.status_code, took_ms=took_ms
    )
    return response


def _template_context() -> dict[str, Any]:
    """What every template has."""
    shop = current_shop()
    dataset = shop.dataset.get()
    return {
        "dataset": dataset,
        "noun": noun(dataset),
        "nouns": nouns(dataset),
        "departments": shop.categories.root().children[:DEPARTMENTS],
        "all_shelves": _("All products") if shop.categories.none_exist() else _("All categories"),
        "shopper": current_shopper(),
        "static_url": static_url,
        "picture": picture,
        "photo": partial(photo, shop.image_origins),
        "card_html": partial(card_html, shop.image_origins),
        "request_id": g.get("request_id", ""),
        "page_url": _page_url,
        "stale": bool(stale_parts()),
        "cart_count": 0,  # the cart's own context processor says the real number
    }


def _page_url(endpoint: str) -> str:
    """The address of a page; empty when this application has no such page: its entry is left out."""
    return url_for(endpoint) if endpoint in current_app.view_functions else ""
