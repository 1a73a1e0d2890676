"""Kept details of items are those of the store, or are not used."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest

from engine.errors import Unavailable
from engine.types import Item
from services.item.search.feed import Changes
from services.recommend import item_cache
from services.recommend.item_cache import FRESH_S, KEEP_S, ItemCache
from tests.support.stand_ins import Failing

pytestmark = pytest.mark.unit


class Store(Failing):
    """Items and their changes. Implements `ItemStage`, and what the cache follows."""

    def __init__(self) -> None:
        super().__init__()
        self.items = {name: Item(name, price=1.0) for name in "abc"}
        self.seen = Changes("1", "0-1", (), frozenset())
        self.gone: set[str] = set()
        self.now = 100.0

    def write(self, item: Item) -> None:
        self.items[item.item_id] = item
        number = int(self.seen.cursor.partition("-")[2]) + 1
        self.seen = replace(self.seen, cursor=f"0-{number}", item_ids=(item.item_id,))

    def changes(self, cursor: str) -> Changes:
        if self.error:
            raise self.error
        return self.seen if cursor != self.seen.cursor else replace(self.seen, item_ids=())

    def unavailable(self, item_ids: Sequence[str]) -> list[bool]:
        if self.error:
            raise self.error
        return [item_id in self.gone for item_id in item_ids]

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        self._called(list(item_ids))
        found = [self.items[one] for one in item_ids if one in self.items]
        return found, [one for one in item_ids if one not in self.items]


@pytest.fixture
def store() -> Store:
    return Store()


@pytest.fixture
def cache(store: Store) -> ItemCache:
    made = ItemCache(store, store, lambda: store.now)
    made.refresh()
    return made


def test_what_was_read_is_not_asked_for_again(store: Store, cache: ItemCache) -> None:
    assert [item.item_id for item in cache.batch_get_items(["a", "b"], 1.0)[0]] == ["a", "b"]
    items, missing = cache.batch_get_items(["c", "b", "x", "a"], 1.0)
    assert ([item.item_id for item in items], missing) == (["c", "b", "a"], ["x"])
    assert store.calls == [["a", "b"], ["c", "x"]]


def test_a_written_item_is_asked_for_again(store: Store, cache: ItemCache) -> None:
    cache.batch_get_items(["a", "b"], 1.0)
    store.write(Item("a", price=2.0))
    cache.refresh()
    assert cache.batch_get_items(["a", "b"], 1.0)[0] == [Item("a", price=2.0), Item("b", price=1.0)]
    assert store.calls[-1] == ["a"]


def test_availability_is_that_of_now(store: Store, cache: ItemCache) -> None:
    cache.batch_get_items(["a", "b"], 1.0)
    for gone in ({"a"}, set[str]()):
        store.gone = gone
        items, _ = cache.batch_get_items(["a", "b"], 1.0)
        assert [item.available for item in items] == [not gone, True]
    assert len(store.calls) == 1


def test_a_store_that_fails_is_not_waited_for_by_the_next_page(store: Store, cache: ItemCache) -> None:
    cache.batch_get_items(["a"], 1.0)
    asked: list[Sequence[str]] = []

    def fail(item_ids: Sequence[str]) -> list[bool]:
        asked.append(item_ids)
        raise Unavailable("hangs for the test")

    store.unavailable = fail  # type: ignore[method-assign]
    for _ in range(3):
        assert cache.batch_get_items(["a"], 1.0)[0] == [Item("a", price=1.0)]
    assert asked == [["a"]]
    assert store.calls == [["a"]] * 4


@pytest.mark.parametrize("change", [{"generation": "2"}, {"cursor": "0-9000", "complete": False}])
def test_a_load_or_a_gap_in_what_is_told_drops_everything(
    store: Store, cache: ItemCache, change: dict[str, object]
) -> None:
    cache.batch_get_items(["a", "b"], 1.0)
    store.seen = replace(store.seen, **change)  # type: ignore[arg-type]
    cache.refresh()
    cache.batch_get_items(["a", "b"], 1.0)
    assert store.calls == [["a", "b"]] * 2


def test_nothing_kept_is_used_once_the_follower_is_behind(store: Store, cache: ItemCache) -> None:
    cache.batch_get_items(["a"], 1.0)
    store.items["a"] = Item("a", price=2.0)  # written, but nobody has looked
    store.now += FRESH_S
    assert cache.batch_get_items(["a"], 1.0)[0] == [Item("a", price=2.0)]
    store.go_down()
    with pytest.raises(Unavailable):
        cache.refresh()
    with pytest.raises(Unavailable):
        cache.batch_get_items(["a"], 1.0)


def test_what_was_read_before_a_change_is_not_kept_after_it(store: Store) -> None:
    class Slow:
        """Reads, and answers after the change was written and seen."""

        def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
            answer = store.batch_get_items(item_ids, timeout_s)
            if len(store.calls) == 1:
                store.write(Item("a", price=2.0))
                cache.refresh()
            return answer

    cache = ItemCache(Slow(), store, lambda: store.now)
    cache.refresh()
    cache.batch_get_items(["a"], 1.0)
    assert cache.batch_get_items(["a"], 1.0)[0] == [Item("a", price=2.0)]


def test_nothing_is_kept_for_longer_than_a_minute(store: Store, cache: ItemCache) -> None:
    cache.batch_get_items(["a"], 1.0)
    store.items["a"] = Item("a", price=2.0)  # past the item service: in no stream
    store.now += KEEP_S + 1
    cache.refresh()
    assert cache.batch_get_items(["a"], 1.0)[0] == [Item("a", price=2.0)]


def test_the_items_asked_for_last_are_kept(
    store: Store, cache: ItemCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(item_cache, "ITEMS", 2)
    for item_id in ("a", "b", "a", "c", "a", "b"):
        cache.batch_get_items([item_id], 1.0)
    assert store.calls == [["a"], ["b"], ["c"], ["b"]]
