"""What answers for the item and recommend services while they do not: see docs/adr/0179.

In this order: the service; for items the row in Redis, which is as new; the last good copy of this process;
for lists what is popular. What is a copy or a stand-in is marked (`webapp.stale`). Copies never serve a cart
or an order: those need the price of today.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

import structlog

from engine.errors import EcrsError, NotFound
from engine.types import (
    Category,
    Item,
    ItemFilter,
    Reason,
    Recommendation,
    RecommendedItem,
    SearchQuery,
    SearchResult,
)
from engine.vocabulary import Degradation
from services.common.ports import ItemPort
from webapp.cache import OUTAGES
from webapp.recent import Recent
from webapp.redis_health import RedisHealth
from webapp.stale import mark_stale, stale_parts

KEEP_S = 3600.0
ITEMS, SEARCHES, LISTS, TREES = 20_000, 200, 1_000, 8
"""Copies kept, of each kind: tens of megabytes at most."""
POPULAR_READ = 100  # the most that a search answers at once
PATIENCE = 0.6
"""Share of a call's time that the service gets: the rest is for what stands in."""

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
log = structlog.get_logger("webapp.stand_ins")


class StandIns:
    """Asks the item service, and others when it does not answer.

    Args:
        items: the item service.
        stored: the same port over Redis, in this process.
        health: whether Redis answers.
    """

    def __init__(self, items: ItemPort, stored: ItemPort, health: RedisHealth) -> None:
        self._items, self._stored, self._health = items, stored, health
        self._pages: Recent[str, Item] = Recent(ITEMS, KEEP_S)  # with all details
        self._cards: Recent[str, Item] = Recent(ITEMS, KEEP_S)  # out of lists
        self._searches: Recent[SearchQuery, SearchResult] = Recent(SEARCHES, KEEP_S)
        self._lists: Recent[tuple[object, ...], Recommendation] = Recent(LISTS, KEEP_S)
        self._trees: Recent[int, tuple[Category, ...]] = Recent(TREES, KEEP_S)

    def item_now(self, item_id: str, timeout_s: float) -> Item:
        """The item as it is now, from the service or from Redis. Raises EcrsError."""
        item = self._now(lambda items, within_s: items.get_item(item_id, within_s), timeout_s)
        self._pages.put(item_id, item)
        return item

    def items_now(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        """Items as they are now, and the missing ids; as `item_now`."""
        found = self._now(lambda items, within_s: items.batch_get_items(item_ids, within_s), timeout_s)
        self.remember(found[0])
        return found

    def page_now(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]:
        """A page of the catalogue as it is now, and the next page's token; as `item_now`."""
        return self._now(lambda items, within_s: items.list_items(page_size, page_token, within_s), timeout_s)

    def item(self, item_id: str, timeout_s: float) -> Item:
        """As `item_now`, or the last good copy. Raises EcrsError when there is none."""
        try:
            return self.item_now(item_id, timeout_s)
        except NotFound:
            self._pages.drop(item_id)
            self._cards.drop(item_id)
            raise
        except OUTAGES:
            copy = self.copy(item_id)
            if copy is None:
                raise
            return copy

    def items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        """As `items_now`, or last good copies, as many as there are. Raises EcrsError when there is none."""
        try:
            return self.items_now(item_ids, timeout_s)
        except OUTAGES:
            copies = [copy for item_id in dict.fromkeys(item_ids) if (copy := self.copy(item_id))]
            if not copies:
                raise
            return copies, []

    def copy(self, item_id: str) -> Item | None:
        """The last good copy of an item, marked."""
        copy = self._pages.get(item_id) or self._cards.get(item_id)
        if copy is not None:
            mark_stale("items")
        return copy

    def search(self, query: SearchQuery, timeout_s: float) -> SearchResult:
        """A page of a search, or the last good copy of it. Raises EcrsError."""
        found, is_copy = _or_copy(
            lambda: self._items.search_items(query, timeout_s * PATIENCE), self._searches, query, "search"
        )
        if not is_copy:
            self.remember(found.items)
        return found

    def categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]:
        """The category tree, or the last good copy of it. Raises EcrsError."""
        tree, _is_copy = _or_copy(
            lambda: self._items.list_categories(depth, timeout_s * PATIENCE), self._trees, depth, "categories"
        )
        return tree

    def recommended(
        self, ask: Callable[[], Recommendation], item_filter: ItemFilter, size: int, timeout_s: float
    ) -> Recommendation:
        """The list that `ask` gives, else what is popular among the items that the filter lets through."""
        try:
            return self.completed(ask())
        except OUTAGES as error:
            _log_stand_in("recommended", error)
            return self.popular(item_filter, size, timeout_s)

    def similar(
        self,
        item_id: str,
        ask: Callable[[], Recommendation],
        kind: tuple[object, ...],
        size: int,
        timeout_s: float,
    ) -> Recommendation:
        """Items beside one that `ask` gives, else the last good copy of this `kind`, else what is popular in
        its category. Raises EcrsError."""
        key = (item_id, *kind)
        try:
            answer = self.completed(ask())
        except OUTAGES as error:
            copy = self._lists.get(key)
            if copy is not None:
                mark_stale("lists")
                return copy
            _log_stand_in("similar", error)
            path = self.item(item_id, timeout_s).category_path
            return self.popular(ItemFilter(exclude_item_ids=frozenset((item_id,))), size, timeout_s, path)
        self._lists.put(key, answer)
        return answer

    def popular(
        self, item_filter: ItemFilter, size: int, timeout_s: float, category_path: tuple[str, ...] = ()
    ) -> Recommendation:
        """What the item service names as popular, best first, flagged as a stand-in. Raises EcrsError.

        `exclude_purchased` of the filter needs the shopper's past and does nothing here.
        """
        query = SearchQuery(
            category_path=category_path,
            brands=tuple(sorted(item_filter.brands)),
            price_min=item_filter.price_min,
            price_max=item_filter.price_max,
            order="popularity",
            page_size=POPULAR_READ,
            include_unavailable=item_filter.include_unavailable,
        )
        found = self.search(query, timeout_s).items
        mark_stale("lists")
        items = [
            item
            for item in found
            if item.item_id not in item_filter.exclude_item_ids
            and not (item_filter.categories and item_filter.categories.isdisjoint(item.category_path))
        ]
        reason = Reason("popular")
        return Recommendation(
            items=tuple(
                RecommendedItem(item.item_id, 0.0, ("popular",), reason, item) for item in items[:size]
            ),
            release="",
            attribution_token="",
            degraded=frozenset({Degradation.CANDIDATES}),
        )

    def remember(self, items: Iterable[Item | None]) -> None:
        """Keep items out of a list as copies. Nothing is learnt from an answer that copies serve."""
        if stale_parts():
            return
        for item in items:
            if item is None:
                continue
            self._cards.put(item.item_id, item)
            page = self._pages.get(item.item_id)
            if page is not None:  # lists are asked for more often than pages: they know the price of today
                changed = replace(page, title=item.title, price=item.price, available=item.available)
                self._pages.put(item.item_id, changed)

    def completed(self, answer: Recommendation) -> Recommendation:
        """The list with copies for items whose details are missing; its details are kept as copies."""
        self.remember(found.item for found in answer.items)
        if all(found.item is not None for found in answer.items):
            return answer
        return replace(
            answer,
            items=tuple(
                found if found.item is not None else replace(found, item=self.copy(found.item_id))
                for found in answer.items
            ),
        )

    def _now(self, ask: Callable[[ItemPort, float], T], timeout_s: float) -> T:
        """What the service answers, else the same port over Redis. Raises the error of the service."""
        try:
            return ask(self._items, timeout_s * PATIENCE)
        except OUTAGES as outage:
            try:
                with self._health.asking():
                    return ask(self._stored, timeout_s)
            except OUTAGES:
                raise outage from None


def _or_copy(ask: Callable[[], T], copies: Recent[K, T], key: K, part: str) -> tuple[T, bool]:
    """The answer, which is kept, or the last one kept, which is marked; and whether it is that copy.

    Raises EcrsError.
    """
    try:
        found = ask()
    except OUTAGES:
        copy = copies.get(key)
        if copy is None:
            raise
        mark_stale(part)
        return copy, True
    copies.put(key, found)
    return found, False


def _log_stand_in(part: str, error: EcrsError) -> None:
    log.warning("stand_in.used", part=part, error=type(error).__name__, message=str(error))
