"""A tape of a request's own calls: what was really sent and answered, for pages that show it."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from google.protobuf.message import Message

_tape: ContextVar[list[Exchange] | None] = ContextVar("tape", default=None)


@dataclass(frozen=True)
class Exchange:
    """One call. `response` is None when it failed, `error` then says how; `started` is `perf_counter()`."""

    target: str
    address: str
    request: Message
    response: Message | None
    error: str
    started: float
    took_s: float


@contextmanager
def recording() -> Iterator[list[Exchange]]:
    """Collects every call that this thread's (or greenlet's) clients make inside, in order."""
    exchanges: list[Exchange] = []
    token = _tape.set(exchanges)
    try:
        yield exchanges
    finally:
        _tape.reset(token)


def keep(
    target: str,
    address: str,
    request: object,
    response: object | None,
    started: float,
    error: str = "",
) -> None:
    """Put a call that ended now on the tape; costs one look-up when nobody records."""
    tape = _tape.get()
    if tape is not None and isinstance(request, Message):
        answer = response if isinstance(response, Message) else None
        tape.append(Exchange(target, address, request, answer, error, started, time.perf_counter() - started))
