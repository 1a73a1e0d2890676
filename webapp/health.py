"""For supervisors and balancers: is the process alive, and do the services behind it answer?"""

from __future__ import annotations

from collections.abc import Callable

from flask import Blueprint, Response, jsonify

from services.common.errors import EcrsError, NotFound
from webapp.shop import current_shop

PROBE_ID = "readiness-probe"  # no shopper and no item is called this
PROBE_TIMEOUT_S = 1.0

blueprint = Blueprint("health", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """Alive: this process answers. Says nothing about others."""
    return jsonify(status="ok")


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Ready: 200 when user, item and recommend answer, else 503; `services` says which."""
    found = probe_services()
    ready = all(state == "ok" for state in found.values())
    return jsonify(status="ok" if ready else "unavailable", services=found), 200 if ready else 503


def probe_services() -> dict[str, str]:
    """`ok`, or the name of the error, by service."""
    services = current_shop().services
    return {
        "user": _probe(lambda: services.user.get_user(PROBE_ID, PROBE_TIMEOUT_S)),
        "item": _probe(lambda: services.item.get_item(PROBE_ID, PROBE_TIMEOUT_S)),
        "recommend": _probe(lambda: services.recommend.similar_items(PROBE_ID, PROBE_TIMEOUT_S, page_size=1)),
    }


def _probe(call: Callable[[], object]) -> str:
    """Asks for something that does not exist: "not found" is an answer, and a cheap one."""
    try:
        call()
    except NotFound:
        return "ok"
    except EcrsError as error:
        return type(error).__name__
    return "ok"
