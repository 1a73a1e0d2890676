"""The blueprint of the API: routes from the table, who may ask, which sites may read."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import cast

from flask import Blueprint, Flask, Response, current_app, render_template, request
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import HTTPException, Unauthorized

from services.common.network import is_loopback
from services.settings import Settings
from webapp.api import catalogue, lists, pages, problems, users  # noqa: F401 - they enter their operations in the table
from webapp.api.answers import Health
from webapp.api.openapi import document
from webapp.api.operations import OPERATIONS, Operation
from webapp.api.reading import read_body, read_path, read_query
from webapp.hosts import host_name
from webapp.stale import HEADER as STALE

EXTENSION = "ecrs_api"
PUBLIC = frozenset({"api.openapi", "api.docs", *(f"api.{one.name}" for one in OPERATIONS if one.public)})
blueprint = Blueprint("api", __name__, url_prefix="/api")


@dataclass(frozen=True)
class Access:
    """Who may use the API.

    Attributes:
        open: whether everybody may who can reach it, as on loopback.
        token: what others must send; empty: they may not.
        origins: sites whose pages may read answers.
        hosts: names that callers may know us by, beside those of loopback; "*": any.
    """

    open: bool
    token: str
    origins: frozenset[str]
    hosts: frozenset[str]


class MisdirectedRequest(HTTPException):
    """421: the request names a host that we were not told we are."""

    code = 421


def install(app: Flask, settings: Settings) -> None:
    """Register the API on the application, with the access that the settings give."""
    token = settings.api_token.get_secret_value()
    app.extensions[EXTENSION] = Access(
        open=not token and is_loopback(settings.bind),
        token=token,
        origins=frozenset(settings.api_origins.split()),
        hosts=frozenset(settings.api_hosts.lower().split()),
    )
    app.register_blueprint(blueprint)


@blueprint.before_request
def check_host() -> None:
    """Answer only under names we were told: another site can lead a browser here under its own name."""
    name, hosts = host_name(), _access().hosts
    if not (is_loopback(name) or name in hosts or "*" in hosts):
        raise MisdirectedRequest(
            f"The API does not answer to the host {name!r}. Whoever runs this shop sets it: ECRS_API_HOSTS."
        )


@blueprint.before_request
def authorize() -> None:
    """Off loopback, or with a token set, every call needs the token. Cookies are never looked at."""
    access = _access()
    if access.open or request.endpoint in PUBLIC or request.method == "OPTIONS":
        return
    given = request.authorization
    sent = (given.token or "") if given is not None and given.type == "bearer" else ""
    if not access.token or not hmac.compare_digest(sent.encode("utf-8", "replace"), access.token.encode()):
        hint = "" if access.token else " Whoever runs this shop sets it: ECRS_API_TOKEN."
        raise Unauthorized(
            f"Send the token: Authorization: Bearer ….{hint}", www_authenticate=WWWAuthenticate("bearer")
        )


@blueprint.after_request
def share(response: Response) -> Response:
    """CORS, for the sites that the settings name and nobody else."""
    origins = _access().origins
    if not origins:
        return response
    response.vary.add("Origin")
    origin = request.headers.get("Origin", "")
    if origin in origins:
        response.headers["Access-Control-Allow-Origin"] = origin
        response.headers["Access-Control-Expose-Headers"] = f"ETag, Retry-After, X-Request-ID, {STALE}"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
        if request.method == "OPTIONS":
            response.headers["Access-Control-Allow-Methods"] = response.headers.get("Allow", "")
            response.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-None-Match"
            response.headers["Access-Control-Max-Age"] = "600"
    return response


@blueprint.get("/openapi.json")
def openapi() -> Response:
    """The document."""
    response = Response(pages.document_json(_document()), content_type="application/json")
    return _revalidated(response, "no-cache")


@blueprint.get("/docs")
def docs() -> str:
    """The document for people."""
    return render_template(
        "api/docs.html", **pages.page(_document(), OPERATIONS, request.url_root.rstrip("/"))
    )


def _call(one: Operation, path: Mapping[str, str]) -> Response:
    """A request into the handler's arguments, its answer into a response."""
    arguments: dict[str, object] = dict(read_path(path))
    query = read_query(one.query)
    if one.query.model_fields:
        arguments["query"] = query
    if one.body:
        arguments["body"] = read_body(one.body)
    answer = one.handler(**arguments)
    if answer is None:
        return Response(status=204)
    status = 503 if isinstance(answer, Health) and answer.status != "ok" else 200
    response = Response(answer.model_dump_json(), status, content_type="application/json")
    if one.keep == "revalidate":
        return _revalidated(response, "private, no-cache")
    response.headers["Cache-Control"] = "no-store"
    return response


def _revalidated(response: Response, keep: str) -> Response:
    """With an ETag; 304 without a body when the caller has this answer already."""
    response.headers["Cache-Control"] = keep
    response.add_etag()
    response.make_conditional(request)
    return response


def _document() -> dict[str, object]:
    return document(OPERATIONS, token_needed=not _access().open)


def _access() -> Access:
    return cast(Access, current_app.extensions[EXTENSION])


def _view(one: Operation) -> Callable[..., Response]:
    def view(**path: str) -> Response:
        return _call(one, path)

    return view


for _one in OPERATIONS:
    _rule = "/v1" + _one.path.replace("{", "<").replace("}", ">")
    blueprint.add_url_rule(_rule, _one.name, _view(_one), methods=[_one.method])
problems.install(blueprint)
