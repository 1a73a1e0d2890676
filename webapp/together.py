"""Calls of one page side by side, under one deadline.

Each call runs in a greenlet of its own and is waited for where its answer is needed. A call that is late is
no longer waited for and told as `DeadlineExceeded`; what a call raises is raised by `get`. A late call is not
killed: it ends by its own deadline, gives back what it holds, and what it read is kept.
"""

from __future__ import annotations

import contextvars
import time
from collections.abc import Callable
from typing import Generic, TypeVar

import gevent

from engine.errors import DeadlineExceeded

T = TypeVar("T")


class Pending(Generic[T]):
    """A call that runs."""

    def __init__(self, call: Callable[[], T], until: float) -> None:
        self._until = until
        # A copy of the context: the request id travels on, and Flask's request stays the current one.
        self._greenlet = gevent.spawn(contextvars.copy_context().run, _outcome, call)

    def get(self) -> T:
        """The answer. Raises what the call raised; DeadlineExceeded when it is not done in time."""
        self._greenlet.join(timeout=max(self._until - time.monotonic(), 0.0))
        if not self._greenlet.ready():
            raise DeadlineExceeded("the page waited long enough for this part")
        value, error = self._greenlet.value
        if error is not None:
            raise error
        return value  # type: ignore[no-any-return]  # what `call` returned


class Together:
    """Starts calls that share a deadline, `deadline_s` seconds from now."""

    def __init__(self, deadline_s: float) -> None:
        self._until = time.monotonic() + deadline_s

    def start(self, call: Callable[[], T]) -> Pending[T]:
        """Run `call` beside the others."""
        return Pending(call, self._until)


def _outcome(call: Callable[[], T]) -> tuple[T | None, Exception | None]:
    """The value or what was raised: an error is told to whoever waits, not to gevent's hub."""
    try:
        return call(), None
    except Exception as error:
        return None, error
