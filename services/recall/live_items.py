"""Follows what is registered through the item service, so that it is recalled within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from threading import Event, Thread
from typing import Any

import structlog

from services.recall.fresh import FreshItems

REFRESH_S = 2.0
_BATCH = 500

log = structlog.get_logger(__name__)

Record = Mapping[str, Any]


class LiveItems:
    """Adds registered items to the new items of the release in use, in a thread of its own.

    Args:
        registered: ids of the items written through the API, in any order; may raise anything.
        records: these items in the Redis form, None where one is gone; may raise anything.
        fresh: the new items of the release in use; None while there is none.
        read_availability: called between reading items and adding them, so that what was registered as sold
            out is known to be before it can be proposed.
    """

    def __init__(
        self,
        registered: Callable[[], Sequence[str]],
        records: Callable[[Sequence[str]], Sequence[Record | None]],
        fresh: Callable[[], FreshItems | None],
        read_availability: Callable[[], object],
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._registered, self._records, self._fresh = registered, records, fresh
        self._read_availability = read_availability
        self._refresh_s = refresh_s
        self._seen: tuple[FreshItems | None, frozenset[str]] = (None, frozenset())
        self._stop = Event()
        self._thread: Thread | None = None
        self._failing = False

    def open(self) -> LiveItems:
        """Start following."""
        self._thread = Thread(target=self._run, name="live-items", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """Stop following."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=5)

    def refresh(self) -> int:
        """Take in what was registered since; after a change of release, all of it. Returns how many."""
        fresh = self._fresh()
        if fresh is None:
            return 0
        seen = self._seen[1] if self._seen[0] is fresh else frozenset()
        there = frozenset(self._registered())
        came = sorted(item for item in there - seen if not fresh.knows(item))
        count = 0
        for start in range(0, len(came), _BATCH):
            found = self._records(came[start : start + _BATCH])
            self._read_availability()
            count += fresh.add([record for record in found if record is not None])
        self._seen = (fresh, there)
        return count

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            wait_s = self._refresh_s
            try:
                self.refresh()
                self._failing = False
            except Exception as error:  # whatever it is, what is known goes on being recalled
                if not self._failing:
                    log.warning("live_items.not_refreshed", error=str(error))
                self._failing = True
