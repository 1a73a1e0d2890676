"""Details of items kept in this process, dropped as they change in the item store."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from threading import Lock
from typing import TYPE_CHECKING, Protocol

from engine.chain import ItemStage
from engine.errors import EcrsError
from engine.types import Item
from services.common.follower import Follower

if TYPE_CHECKING:
    from services.item.search.feed import Changes

POLL_S = 0.25
FRESH_S = 0.9
"""Seconds after the last look at the changes was begun in which what is kept may be answered."""
KEEP_S = 60.0
"""Seconds after which an item is asked for anew: what others write past the item service is in no stream."""
ITEMS = 20_000
"""Items kept, those asked for last: some 20 MiB."""


class Store(Protocol):
    """Where the items are, as `RedisItemStore`. Both raise Unavailable."""

    def changes(self, cursor: str) -> Changes: ...

    def unavailable(self, item_ids: Sequence[str]) -> Sequence[bool]: ...


class ItemCache:
    """Implements `engine.chain.ItemStage` over another one. Thread-safe.

    What is answered from here is never older than a second, and its availability is that of now: the store is
    asked for it each time. What is kept is used only while the last look at the changes began less than
    `FRESH_S` ago and the store answers. Otherwise, as while Redis hangs, the item stage is asked.

    Args:
        item: asked for what is not kept.
        store: followed; must answer or fail quickly.
        clock: monotonic seconds.
    """

    def __init__(
        self,
        item: ItemStage,
        store: Store,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._item, self._store, self._clock = item, store, clock
        self._lock = Lock()
        self._kept: OrderedDict[str, tuple[Item, float]] = OrderedDict()  # with the time when each expires
        self._cursor = self._generation = ""
        self._version = 0  # counts the looks that found a change
        self._fresh_until = 0.0
        self._follower = Follower("item-cache", "item_cache.not_refreshed", self.refresh, POLL_S)

    def open(self) -> ItemCache:
        """Start following the changes."""
        self._follower.open()
        return self

    def close(self) -> None:
        """Stop following."""
        self._follower.close()

    def refresh(self) -> None:
        """Look at the changes once. Raises Unavailable."""
        began = self._clock()
        seen = self._store.changes(self._cursor)
        with self._lock:
            if not self._cursor or seen.generation != self._generation or not seen.complete:
                self._kept.clear()
                self._version += 1
            elif seen.item_ids:
                for item_id in seen.item_ids:
                    self._kept.pop(item_id, None)
                self._version += 1
            self._cursor, self._generation = seen.cursor, seen.generation
            self._fresh_until = began + FRESH_S

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        """See `ItemPort`; asks for those only that are not kept."""
        wanted = list(dict.fromkeys(item_ids))
        with self._lock:
            version, kept = self._version, self._fresh(wanted)
        found = self._as_available(kept) if kept else {}
        absent = [item_id for item_id in wanted if item_id not in found]
        missing: list[str] = []
        if absent or not wanted:
            items, missing = self._item.batch_get_items(absent, timeout_s)
            self._keep(items, version)
            found.update((item.item_id, item) for item in items)
        return [found[item_id] for item_id in wanted if item_id in found], missing

    def _fresh(self, item_ids: Sequence[str]) -> list[Item]:
        """What is kept of these; nothing while the follower is behind."""
        now = self._clock()
        found: list[Item] = []
        if now >= self._fresh_until:
            return found
        for item_id in item_ids:
            kept = self._kept.get(item_id)
            if kept is None:
                continue
            if kept[1] < now:
                del self._kept[item_id]
                continue
            self._kept.move_to_end(item_id)
            found.append(kept[0])
        return found

    def _as_available(self, items: Sequence[Item]) -> dict[str, Item]:
        """The items by id, as available as they are now; none if the store does not tell."""
        ids = [item.item_id for item in items]
        try:
            gone = self._store.unavailable(ids)
        except EcrsError:
            self._fresh_until = 0.0  # until the next look succeeds: the next page does not wait for it too
            return {}
        return {
            item.item_id: item if item.available != now_gone else replace(item, available=not now_gone)
            for item, now_gone in zip(items, gone, strict=True)
        }

    def _keep(self, items: Sequence[Item], version: int) -> None:
        """Keep what was read, unless a change was seen meanwhile: it may be of before that."""
        expires = self._clock() + KEEP_S
        with self._lock:
            if version != self._version or not self._cursor:
                return
            for item in items:
                self._kept[item.item_id] = item, expires
                self._kept.move_to_end(item.item_id)
            while len(self._kept) > ITEMS:
                self._kept.popitem(last=False)
