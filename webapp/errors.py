"""Errors: a page for people, a problem document (RFC 9457) for those who accept JSON rather than HTML."""

from __future__ import annotations

from http import HTTPStatus

import structlog
from flask import Flask, Response, g, jsonify, make_response, render_template, request
from flask_babel import LazyString
from flask_wtf.csrf import CSRFError
from werkzeug.exceptions import BadRequest, HTTPException

from engine.errors import (
    DeadlineExceeded,
    EcrsError,
    InvalidArgument,
    NotFound,
    ReleaseNotLoaded,
    Unavailable,
)
from webapp.i18n import lazy_gettext as _l

STATUS: dict[type[EcrsError], HTTPStatus] = {
    InvalidArgument: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    ReleaseNotLoaded: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceeded: HTTPStatus.SERVICE_UNAVAILABLE,
}
TEXTS: dict[int, tuple[LazyString, LazyString]] = {
    400: (_l("That did not work"), _l("Something in the request was not as expected.")),
    404: (_l("Nothing here"), _l("This page or product does not exist (any more).")),
    405: (_l("Not like this"), _l("This address cannot be used this way.")),
    413: (_l("Too much"), _l("More was sent than this page takes.")),
    429: (_l("One moment, please"), _l("Too many requests came at once. Wait a little and try again.")),
    500: (_l("Our mistake"), _l("Something went wrong on our side. It has been written down.")),
    502: (
        _l("Our mistake"),
        _l("A part of the shop did not do what it should. It has been written down."),
    ),
    503: (
        _l("We will be right back"),
        _l("A part of the shop does not answer right now. Trying again usually helps."),
    ),
}
CART_TEXT = _l(
    "Your cart and your orders cannot be read or changed at the moment. Nothing in them is lost, and the "
    "rest of the shop is open."
)
OF_CART = frozenset(
    f"shop.{name}"
    for name in (
        "cart_page",
        "add_to_cart",
        "change_cart",
        "checkout_page",
        "place_order",
        "orders_page",
        "order_page",
    )
)
"""Pages that are nothing without what Redis holds."""
CSRF_TEXT = _l("This form is too old or was opened elsewhere. Go back, reload the page and try again.")
log = structlog.get_logger("webapp.errors")


def install(app: Flask) -> None:
    """Register the handlers on the application."""
    app.register_error_handler(CSRFError, _csrf)
    app.register_error_handler(HTTPException, _http)
    app.register_error_handler(EcrsError, _domain)
    app.register_error_handler(Exception, _unexpected)


def wants_json() -> bool:
    """Whether the answer is for a program: JSON is accepted rather than HTML."""
    return request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"


class BadPage(BadRequest):
    """A mistake in an address; `description` says in words what to do."""


def _csrf(error: CSRFError) -> Response:
    return _answer(400, str(CSRF_TEXT))


def _http(error: HTTPException) -> Response:
    response = _answer(error.code or 500, str(error.description) if isinstance(error, BadPage) else "")
    for name, value in error.get_headers():
        if name == "Allow":
            response.headers[name] = value
    return response


def _domain(error: EcrsError) -> Response:
    status = STATUS.get(type(error), HTTPStatus.BAD_GATEWAY)
    log.warning("http.service_error", error=type(error).__name__, message=str(error))
    away = status is HTTPStatus.SERVICE_UNAVAILABLE
    response = _answer(status.value, str(CART_TEXT) if away and request.endpoint in OF_CART else "")
    if away:
        response.headers["Retry-After"] = "5"
    return response


def _unexpected(error: Exception) -> Response:
    """Any other exception: an error page for the shopper, the stack trace for the log."""
    log.exception("http.unexpected_error", error=type(error).__name__)
    return _answer(500)


def _answer(status: int, text: str = "") -> Response:
    phrase = HTTPStatus(status).phrase
    title, default = TEXTS.get(status, (phrase, _l("The request could not be answered.")))
    for_program = request.path.startswith("/api/") and request.path != "/api/docs"
    if (
        for_program
        or request.accept_mimetypes.best_match(["text/html", "application/json"]) == "application/json"
    ):
        response = jsonify(
            type="about:blank",
            title=phrase,
            status=status,
            detail=text or str(default),
            request_id=g.get("request_id", ""),
        )
        response.status_code = status
        response.mimetype = "application/problem+json"
        return response
    return make_response(
        render_template("error.html", status=status, title=title, text=text or default), status
    )
