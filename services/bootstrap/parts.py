"""What every part of the composition root is made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from services import __version__
from services.common import redis
from services.common.publisher import Publisher
from services.common.rpc import App, CallStats, Servicer, Target
from services.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A service in this process, with whether it can serve and how to end it."""

    service: T
    ready: Callable[[], None]
    close: Callable[[], None]


def target(settings: Settings, service: str, *, greenlets: bool = False) -> Target:
    """An open channel to one of the five services; close it when done. `greenlets`: see `Target`."""
    token = settings.service_token.get_secret_value()
    return Target(service, settings.address(service), token=token, greenlets=greenlets).open()


def app(
    settings: Settings,
    name: str,
    servicers: Sequence[Servicer],
    ready: Callable[[], None],
    close: Callable[[], None],
    release: Callable[[], str] = str,
) -> App:
    """What a server process runs, publishing its figures until it is closed.

    Args:
        release: name of the release in use.
    """
    stats = CallStats()
    publisher = Publisher(
        name, stats.last_minute, release, __version__, redis.connect(settings.redis(), max_connections=1)
    ).open()
    return App(
        name,
        servicers,
        ready=ready,
        close=closing(publisher.close, close),
        stats=stats,
        token=settings.service_token.get_secret_value(),
    )


def closing(*closes: Callable[[], object]) -> Callable[[], None]:
    """One call that makes all of these, in order."""

    def close() -> None:
        for one in closes:
            one()

    return close
