"""What cannot be bought now: the Redis set `ecrs:unavailable`, read in the background each second."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from threading import Lock

import structlog

from engine.recall.filters import LiveSet
from services.common.follower import Follower

REFRESH_S = 1.0

log = structlog.get_logger(__name__)


class Availability:
    """Keeps the last good state of the set: while the store is away the last value stays in force.

    Args:
        read: returns the ids that are not available; may raise anything.
        refresh_s: seconds between two reads.
    """

    def __init__(self, read: Callable[[], Iterable[str]], refresh_s: float = REFRESH_S) -> None:
        self._read = read
        self._current = LiveSet(0, None)
        self._follower = Follower(
            "availability", "availability.unreadable", self.refresh, refresh_s, at_once=False
        )
        self._failing = False
        self._reading = Lock()  # an older state must not follow a newer one

    @property
    def current(self) -> LiveSet:
        """The newest state that could be read."""
        return self._current

    def open(self) -> None:
        """Read once, then go on reading in a thread of its own."""
        self.refresh()
        self._follower.open()

    def close(self) -> None:
        """Stop reading."""
        self._follower.close()

    def refresh(self) -> None:
        """Read the set once; on failure keep what is known. Thread-safe."""
        with self._reading:
            self._refresh()

    def _refresh(self) -> None:
        try:
            ids = frozenset(self._read())
        except Exception as error:  # any failure of the store means the same: the last value stays
            if not self._failing:
                log.warning("availability.unreadable", error=str(error))
            self._failing = True
            return
        self._failing = False
        if ids != self._current.ids:
            self._current = LiveSet(self._current.version + 1, ids)
