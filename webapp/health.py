"""For supervisors and balancers: is the process alive, and do the services behind it answer?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify

from engine.errors import DeadlineExceeded, EcrsError, NotFound, Unavailable
from webapp.shop import current_shop
from webapp.together import Pending, Together

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


@blueprint.get("/reachz")
def reachz() -> tuple[Response, int]:
    """Reaches: 200 when user, item and recommend answer this process, else 503; `services` says which.

    Unlike `/readyz` it tells nothing of what stands behind the services. One that answers others and not this
    process has been lost by this process, which is then to be started again.
    """
    found = reach_services()
    reached = all(state == "ok" for state in found.values())
    return jsonify(status="ok" if reached else "cut off", services=found), 200 if reached else 503


def reach_services() -> dict[str, str]:
    """`ok`, or the name of the error, by service: each is asked for nothing, which it refuses by itself."""
    services, together = current_shop().services, Together(PROBE_TIMEOUT_S + 0.2)
    asked: dict[str, Pending[Any]] = {
        "user": together.start(lambda: services.user.get_user("", PROBE_TIMEOUT_S)),
        "item": together.start(lambda: services.item.get_item("", PROBE_TIMEOUT_S)),
        "recommend": together.start(lambda: services.recommend.similar_items("", PROBE_TIMEOUT_S)),
    }
    return {name: _reached(pending.get) for name, pending in asked.items()}


def _reached(answer: Callable[[], object]) -> str:
    try:
        answer()
    except (Unavailable, DeadlineExceeded) as error:
        return type(error).__name__
    except EcrsError:
        return "ok"
    return "ok"


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
