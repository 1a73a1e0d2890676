"""Follows what is registered through the item service, so that it is recalled within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from services.common.follower import Follower
from services.recall.fresh import FreshItems

REFRESH_S = 2.0
_BATCH = 500

Record = Mapping[str, Any]


class LiveItems:
    """Adds registered items to the new items of the release in use, in a thread of its own.

    Args:
        written: ids of the items written through the API since a cursor, in any order, and the cursor of this
            moment; of all such items for the cursor "". May raise anything.
        records: these items in the Redis form, None where one is gone; may raise anything.
        fresh: the new items of the release in use; None while there is none.
        read_availability: called between reading items and adding them, so that what was registered as sold
            out is known to be before it can be proposed.
    """

    def __init__(
        self,
        written: Callable[[str], tuple[str, Sequence[str]]],
        records: Callable[[Sequence[str]], Sequence[Record | None]],
        fresh: Callable[[], FreshItems | None],
        read_availability: Callable[[], object],
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._written, self._records, self._fresh = written, records, fresh
        self._read_availability = read_availability
        self._follower = Follower("live-items", "live_items.not_refreshed", self.refresh, refresh_s)
        self._seen: tuple[FreshItems | None, str] = (None, "")

    def open(self) -> LiveItems:
        """Start following."""
        self._follower.open()
        return self

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def refresh(self) -> int:
        """Take in what was registered since; after a change of release, all of it. Returns how many."""
        fresh = self._fresh()
        if fresh is None:
            return 0
        cursor, ids = self._written(self._seen[1] if self._seen[0] is fresh else "")
        came = sorted({item for item in ids if not fresh.knows(item)})
        count = 0
        for start in range(0, len(came), _BATCH):
            found = self._records(came[start : start + _BATCH])
            self._read_availability()
            count += fresh.add([record for record in found if record is not None])
        self._seen = (fresh, cursor)
        return count
