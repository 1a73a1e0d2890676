"""What every part of the composition root is made with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, TypeVar

from services.common.rpc import Target
from services.settings import Settings

T = TypeVar("T")


@dataclass(frozen=True)
class Part(Generic[T]):
    """A service in this process, with whether it can serve and how to end it."""

    service: T
    ready: Callable[[], None]
    close: Callable[[], None]


def target(settings: Settings, service: str) -> Target:
    """An open channel to one of the five services; close it when done."""
    return Target(service, settings.address(service)).open()


def closing(*closes: Callable[[], object]) -> Callable[[], None]:
    """One call that makes all of these, in order."""

    def close() -> None:
        for one in closes:
            one()

    return close
