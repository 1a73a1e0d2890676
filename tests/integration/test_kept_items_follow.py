"""Kept details of items follow a real Redis within a second, and are left alone while nobody follows."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from threading import Event

import pytest

from engine.types import Item
from services.common.redis import connect
from services.item.search.feed import Changes
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.recommend.item_cache import FRESH_S, ItemCache

pytestmark = pytest.mark.integration

T = 2.0
TEA = Item("tea", "Green tea", ("drinks",), "brand1", "shop", 5.0)


@pytest.fixture
def store(redis_url: str) -> Iterator[RedisItemStore]:
    made = RedisItemStore(connect(redis_url))
    made.write([TEA])
    yield made
    made.close()


class Counted:
    """The item service; how often it was asked."""

    def __init__(self, store: RedisItemStore) -> None:
        self.service, self.asked = ItemService(store), 0

    def batch_get_items(self, item_ids: list[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        self.asked += 1
        return self.service.batch_get_items(item_ids, timeout_s)


def tea(cache: ItemCache) -> Item:
    (found,), _ = cache.batch_get_items(["tea"], T)
    return found


def within_a_second(cache: ItemCache, expected: Callable[[Item], bool]) -> bool:
    """Whether it was as expected when a second had passed, however often it was asked for before."""
    end = time.monotonic() + 1.0
    while time.monotonic() < end:
        tea(cache)
        time.sleep(0.01)
    return expected(tea(cache))


def test_a_price_and_an_availability_are_seen_within_a_second(store: RedisItemStore) -> None:
    items = Counted(store)
    cache = ItemCache(items, store).open()
    try:
        assert within_a_second(cache, lambda item: item == TEA)
        asked = items.asked
        assert tea(cache) == TEA
        assert items.asked == asked, "it is kept"
        items.service.upsert_items([replace(TEA, price=7.5)], T)
        assert within_a_second(cache, lambda item: item.price == 7.5)
        for available in (False, True):
            items.service.set_availability(["tea"], available, T)
            assert tea(cache).available == available, "at once"
        assert items.asked < asked + 10, "it is kept between the changes"
    finally:
        cache.close()


def test_nothing_old_is_answered_while_the_follower_hangs(store: RedisItemStore) -> None:
    go_on, hung = Event(), Event()
    go_on.set()

    class Hanging:
        """The store; what follows it hangs when told to."""

        unavailable = store.unavailable

        def changes(self, cursor: str) -> Changes:
            if not go_on.is_set():
                hung.set()
                go_on.wait(30)
            return store.changes(cursor)

    items = Counted(store)
    cache = ItemCache(items, Hanging()).open()
    try:
        assert within_a_second(cache, lambda item: item == TEA)
        go_on.clear()
        assert hung.wait(5)
        items.service.upsert_items([replace(TEA, price=7.5)], T)
        items.service.set_availability(["tea"], False, T)
        time.sleep(FRESH_S)
        assert tea(cache) == replace(TEA, price=7.5, available=False)
        asked = items.asked
        tea(cache)
        assert items.asked == asked + 1, "what is kept is not used"
        go_on.set()
        assert within_a_second(cache, lambda item: item == replace(TEA, price=7.5, available=False))
        asked = items.asked
        tea(cache)
        assert items.asked == asked, "it is kept again"
    finally:
        go_on.set()
        cache.close()
