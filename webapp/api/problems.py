"""Whatever goes wrong below /api, as a problem document (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from http import HTTPStatus

import structlog
from flask import Blueprint, Response, g
from werkzeug.exceptions import HTTPException, InternalServerError

from engine.errors import (
    DeadlineExceeded,
    EcrsError,
    InvalidArgument,
    NotFound,
    ReleaseNotLoaded,
    Unavailable,
)
from webapp.api.answers import FieldProblem, Problem
from webapp.api.reading import BadInput

MEDIA_TYPE = "application/problem+json"
RETRY_AFTER_S = 5
STATUS: dict[type[EcrsError], HTTPStatus] = {
    InvalidArgument: HTTPStatus.BAD_REQUEST,
    NotFound: HTTPStatus.NOT_FOUND,
    ReleaseNotLoaded: HTTPStatus.SERVICE_UNAVAILABLE,
    Unavailable: HTTPStatus.SERVICE_UNAVAILABLE,
    DeadlineExceeded: HTTPStatus.GATEWAY_TIMEOUT,
    EcrsError: HTTPStatus.BAD_GATEWAY,
}
"""Every class of `engine.errors`; a test asserts that none is missing."""

# The services' names of fields that have another place here: one user is written as a list of one.
_RENAMED = ((re.compile(r"^users\[0\]\."), ""), (re.compile(r"^profile\.attributes\."), "profile."))
_KEPT_HEADERS = ("Allow", "Retry-After", "WWW-Authenticate")
log = structlog.get_logger("webapp.api")


def install(blueprint: Blueprint) -> None:
    """Register the handlers on the blueprint."""
    blueprint.register_error_handler(HTTPException, _http)
    blueprint.register_error_handler(EcrsError, _domain)
    blueprint.register_error_handler(BadInput, _bad_input)
    blueprint.register_error_handler(Exception, _unexpected)


def problem(status: int, detail: str, errors: Sequence[tuple[str, str]] = ()) -> Response:
    """A problem document."""
    document = Problem(
        type="about:blank",
        title=HTTPStatus(status).phrase,
        status=status,
        detail=detail,
        request_id=g.get("request_id", ""),
        errors=tuple(FieldProblem(field=field, problem=text) for field, text in errors),
    )
    response = Response(document.model_dump_json(exclude_defaults=True), status, content_type=MEDIA_TYPE)
    response.headers["Cache-Control"] = "no-store"
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        response.headers["Retry-After"] = str(RETRY_AFTER_S)
    return response


def _http(error: HTTPException) -> Response:
    response = problem(error.code or 500, error.description or "The request could not be answered.")
    for name, value in error.get_headers():
        if name in _KEPT_HEADERS:
            response.headers[name] = value
    return response


def _bad_input(error: BadInput) -> Response:
    return problem(HTTPStatus.UNPROCESSABLE_ENTITY, str(error), error.errors)


def _domain(error: EcrsError) -> Response:
    status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
    log.warning("api.service_error", error=type(error).__name__, message=str(error))
    text = str(error)
    for theirs, ours in _RENAMED:
        text = theirs.sub(ours, text)
    if isinstance(error, InvalidArgument):
        field, _, what = text.partition(": ")
        return problem(status, text, [(field, what)])
    return problem(status, text)


def _unexpected(error: Exception) -> Response:
    """Any other exception: a problem document for the caller, the stack trace for the log."""
    log.exception("api.unexpected_error", error=type(error).__name__)
    return _http(InternalServerError("Something went wrong on our side. It has been written down."))
