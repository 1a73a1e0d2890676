"""All five services in one process: they share what can be shared and call each other without gRPC."""

from __future__ import annotations

from typing import TypeVar

from services.bootstrap.parts import Part, closing
from services.bootstrap.request_path import (
    make_rank,
    make_recall,
    make_recommend,
    serve_rank,
    serve_recall,
    serve_recommend,
)
from services.bootstrap.shared import Shared
from services.bootstrap.stores import make_item, make_user, serve_item, serve_user
from services.common.rpc import App, CallStats, InProcess
from services.settings import SERVICES, Settings

T = TypeVar("T")


def together_apps(settings: Settings) -> list[App]:
    """The five services as servers of one process, in the order of `SERVICES`, to be closed last first."""
    shared = Shared(settings, *SERVICES)
    stats = {name: CallStats() for name in SERVICES}
    callers = {name: InProcess(name, settings.threads, stats[name]) for name in SERVICES}

    def port(name: str, part: Part[T]) -> T:
        return callers[name].port(part.service)

    user, item, recall, rank = make_user(shared), make_item(shared), make_recall(shared), make_rank(shared)
    users = port("user", user)
    recommend = make_recommend(shared, users, port("item", item), port("recall", recall), port("rank", rank))
    last = closing(*(caller.close for caller in callers.values()), shared.close)
    nothing = closing()
    return [
        serve_user(shared, user, last, stats["user"]),
        serve_item(shared, item, nothing, stats["item"]),
        serve_recall(shared, recall, users, nothing, stats["recall"]),
        serve_rank(shared, rank, users, nothing, stats["rank"]),
        serve_recommend(shared, recommend, nothing, stats["recommend"]),
    ]
