"""Closing what was replaced after the last request that may still use it (epoch-based reclamation)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from threading import Lock
from types import TracebackType

import structlog

log = structlog.get_logger(__name__)

Close = Callable[[], object]


class Epochs:
    """Counts the requests in progress by the epoch in which they began; each replacement begins a new one.

    What is retired in an epoch is closed once no request of that epoch or an earlier one is in progress: at
    once if there is none, else by the thread that ends the last of them. Thread-safe.
    """

    def __init__(self) -> None:
        self._lock = Lock()
        self._epoch = 0
        self._reading: Counter[int] = Counter()
        self._retired: list[tuple[int, Close]] = []

    def reading(self) -> Reading:
        """A context manager: what was not yet retired when it is entered stays open inside."""
        return Reading(self)

    def retire(self, close: Close) -> None:
        """Have `close` called, once no request is left that began before now; what it raises is logged."""
        with self._lock:
            self._retired.append((self._epoch, close))
            self._epoch += 1
            due = self._due()
        _run(due)

    def begin(self) -> int:
        """A request begins; returns its epoch, for `end`."""
        with self._lock:
            self._reading[self._epoch] += 1
            return self._epoch

    def end(self, epoch: int) -> None:
        """A request of that epoch ends."""
        with self._lock:
            self._reading[epoch] -= 1
            if not self._reading[epoch]:
                del self._reading[epoch]
            due = self._due() if self._retired else []
        _run(due)

    def _due(self) -> list[Close]:
        oldest = min(self._reading, default=self._epoch)
        due = [close for epoch, close in self._retired if epoch < oldest]
        self._retired = [(epoch, close) for epoch, close in self._retired if epoch >= oldest]
        return due


class Reading:
    """One request in progress."""

    def __init__(self, epochs: Epochs) -> None:
        self._epochs = epochs

    def __enter__(self) -> None:
        self._epoch = self._epochs.begin()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._epochs.end(self._epoch)


def _run(closes: list[Close]) -> None:
    for close in closes:
        try:
            close()
        except Exception:  # a request that ends must not pay for what it did not use
            log.exception("not_closed")
