"""What every part of the composition root is made with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from services import __version__
from services.bootstrap.shared import Shared
from services.common.publisher import Publisher
from services.common.rpc import App, CallStats, Servicer, Target
from services.settings import Settings

T = TypeVar("T")

Close = Callable[[], object]


@dataclass(frozen=True)
class Part(Generic[T]):
    """A service in this process, with whether it can serve and how to end it."""

    service: T
    ready: Callable[[], None]
    close: Close

    def and_close(self, close: Close) -> Part[T]:
        """The same part; when it is closed, `close` is called after its own."""
        return replace(self, close=closing(self.close, close))


def target(settings: Settings, service: str, *, greenlets: bool = False) -> Target:
    """An open channel to one of the five services; close it when done. `greenlets`: see `Target`."""
    token = settings.service_token.get_secret_value()
    return Target(service, settings.address(service), token=token, greenlets=greenlets).open()


def app(
    shared: Shared,
    name: str,
    servicers: Sequence[Servicer],
    ready: Callable[[], None],
    close: Close,
    stats: CallStats | None = None,
) -> App:
    """What a server process runs, publishing its figures until it is closed.

    Args:
        stats: where its calls are counted.
    """
    counted = stats or CallStats()
    publisher = Publisher(
        name, counted.last_minute, lambda: shared.releases.current, __version__, shared.redis
    ).open()
    return App(
        name,
        servicers,
        ready=ready,
        close=closing(publisher.close, close),
        stats=counted,
        token=shared.settings.service_token.get_secret_value(),
    )


def closing(*closes: Close) -> Callable[[], None]:
    """One call that makes all of these, in order."""

    def close() -> None:
        for one in closes:
            one()

    return close
