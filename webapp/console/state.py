"""What the console's pages share, made once an application from the settings."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import redis
from flask import Flask, Response, current_app, g, request
from grpc import StatusCode

from services import __version__
from services.common.ports import RankPort, RecallPort
from services.common.publisher import Publisher
from services.common.redis import connect
from services.common.rpc import CallStats
from services.settings import Settings
from webapp.console.attempts import Attempts
from webapp.console.history import History
from webapp.console.live import LiveFigures
from webapp.console.probes import Probes
from webapp.shop import current_shop

EXTENSION = "ecrs_console"
SERVICES = ("user", "item", "recall", "rank", "recommend")
REDIS_TIMEOUT_S = 0.5


@dataclass(frozen=True)
class Console:
    """`bind`: the address the application listens on; `addresses`: host:port of each service."""

    bind: str
    password: str = field(repr=False)
    artifacts_dir: Path
    addresses: Mapping[str, str]
    redis: redis.Redis
    probes: Probes
    history: History
    attempts: Attempts
    live: LiveFigures
    stats: CallStats
    call_timeout_s: float = 3.0  # explaining fifty scores takes a hundred times one ranking


def install(app: Flask, settings: Settings) -> None:
    """Put the console's state on the application; connects to nothing."""
    client = connect(settings.redis(), timeout_s=REDIS_TIMEOUT_S)
    addresses = {name: settings.address(name) for name in SERVICES}
    app.extensions[EXTENSION] = Console(
        bind=settings.bind,
        password=settings.console_password.get_secret_value(),
        artifacts_dir=settings.artifacts_dir,
        addresses=addresses,
        redis=client,
        probes=Probes(addresses, client, settings.milvus(), settings.predictor()),
        history=History(client),
        attempts=Attempts(client),
        live=LiveFigures(client),
        stats=CallStats(),
    )
    app.after_request(_count)


def publisher(app: Flask) -> Publisher:
    """What writes this process's figures to Redis, as the services write theirs; not opened yet."""
    console = cast(Console, app.extensions[EXTENSION])
    return Publisher("web", console.stats.last_minute, str, __version__, console.redis)


def own_figures() -> dict[str, Any]:
    """This process's figures in the form in which they are published."""
    return {"service": "web", "pid": os.getpid(), "rpcs": current_console().stats.last_minute()}


def current_console() -> Console:
    """The console of the application that handles this request."""
    return cast(Console, current_app.extensions[EXTENSION])


def _count(response: Response) -> Response:
    if "started" in g:
        code = StatusCode.INTERNAL if response.status_code >= 500 else StatusCode.OK
        endpoint = request.endpoint or "(no such page)"
        current_console().stats.observe(endpoint, code.name, time.perf_counter() - g.started)
    return response


def recall_port() -> RecallPort:
    """The recall service."""
    return current_shop().services.recall


def rank_port() -> RankPort:
    """The rank service."""
    return current_shop().services.rank
