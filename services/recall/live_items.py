"""Follows what is registered through the item service, so that it is recalled within seconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from services.common.follower import Follower

REFRESH_S = 2.0
_BATCH = 500

Record = Mapping[str, Any]


class Taker(Protocol):
    """What registered items are handed to."""

    def knows(self, item_id: str) -> bool: ...

    def add(self, records: Sequence[Record]) -> int: ...


class LiveItems:
    """Hands registered items to the release in use, in a thread of its own.

    Args:
        written: ids of the items written through the API since a cursor, in any order, and the cursor of this
            moment; of all such items for the cursor "". May raise anything.
        records: these items in the Redis form, None where one is gone; may raise anything.
        taker: of the release in use; None while there is none.
        read_availability: called between reading items and adding them, so that what was registered as sold
            out is known to be before it can be proposed.
    """

    def __init__(
        self,
        written: Callable[[str], tuple[str, Sequence[str]]],
        records: Callable[[Sequence[str]], Sequence[Record | None]],
        taker: Callable[[], Taker | None],
        read_availability: Callable[[], object],
        refresh_s: float = REFRESH_S,
    ) -> None:
        self._written, self._records, self._taker = written, records, taker
        self._read_availability = read_availability
        self._follower = Follower("live-items", "live_items.not_refreshed", self.refresh, refresh_s)
        self._seen: tuple[Taker | None, str] = (None, "")

    def open(self) -> LiveItems:
        """Start following."""
        self._follower.open()
        return self

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def refresh(self) -> int:
        """Take in what was registered since; after a change of release, all of it. Returns how many."""
        taker = self._taker()
        if taker is None:
            return 0
        cursor, ids = self._written(self._seen[1] if self._seen[0] is taker else "")
        came = sorted({item for item in ids if not taker.knows(item)})
        count = 0
        for start in range(0, len(came), _BATCH):
            found = self._records(came[start : start + _BATCH])
            self._read_availability()
            count += taker.add([record for record in found if record is not None])
        self._seen = (taker, cursor)
        return count
