"""A small shop behind hand-written fakes of the ports: lists follow events, and parts can be broken."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from zlib import crc32

from engine.errors import EcrsError, NotFound
from engine.types import NO_FILTER, Item, ItemFilter, Reason, Recommendation, RecommendedItem, RecommendQuery
from engine.vocabulary import CHANNELS, Degradation
from services.common.ports import RankPort, RecallPort
from tests.unit.webapp.fake_stores import FakeItems, FakeUsers

REASON_OF_CHANNEL = {
    "bought_again": "bought_again",
    "two_tower": "for_you",
    "trending": "trending",
    "new": "new",
}


@dataclass
class FakeRecommend:
    """RecommendPort whose lists follow events: what shares a category with a clicked item comes first."""

    users: FakeUsers
    items: FakeItems
    fail: EcrsError | None = None
    degraded: frozenset[Degradation] = frozenset()
    asked: list[RecommendQuery] = field(default_factory=list)
    beside: dict[str, tuple[str, ...]] = field(default_factory=dict)  # channels of similar items by placement

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation:
        self.asked.append(query)
        if self.fail:
            raise self.fail
        events = self.users.of(query.user_id)
        disliked = {event.item_id for event in events if event.type == "dislike"}
        touched = [
            self.items.items[e.item_id]
            for e in events
            if e.type != "dislike" and e.item_id in self.items.items
        ]
        because = {_leaf(item): item for item in reversed(touched)}
        seed = sum(map(ord, query.user_id)) if query.user_id in self.users.profiles else 0
        ids = [item_id for item_id in self.items.items if item_id not in disliked]
        ids.sort(
            key=lambda item_id: (self._category(item_id) not in because, crc32(f"{seed} {item_id}".encode()))
        )
        if query.channels:
            return self._rail(query, [one for one in ids if one not in query.filter.exclude_item_ids])
        found = tuple(
            self._found(item_id, place, because, seed) for place, item_id in enumerate(ids[: query.page_size])
        )
        return self._answer(found, f"token-{query.placement}-{query.user_id}-{len(events)}")

    def similar_items(
        self,
        item_id: str,
        timeout_s: float,
        page_size: int = 20,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation:
        self.beside[placement] = tuple(channels)
        if self.fail:
            raise self.fail
        if item_id not in self.items.items:
            raise NotFound(f"item {item_id}")
        ids = [
            one
            for one in self.items.items
            if self._category(one) == self._category(item_id) and one != item_id
        ]
        found = tuple(
            RecommendedItem(one, 0.9, ("item_to_item",), Reason(), self.items.items[one])
            for one in ids[:page_size]
        )
        return self._answer(found, f"token-{placement}-{item_id}")

    def _rail(self, query: RecommendQuery, ids: list[str]) -> Recommendation:
        """What one channel names: the same for all, each channel beginning elsewhere in the catalogue."""
        channel = query.channels[0]
        start = 9 * CHANNELS.index(channel)
        ids = sorted(ids)[start:] + sorted(ids)[:start]
        reason = Reason(REASON_OF_CHANNEL.get(channel, "popular"))
        found = (
            RecommendedItem(one, 0.5, (channel,), reason, self.items.items[one])
            for one in ids[: query.page_size]
        )
        return self._answer(tuple(found), f"token-{query.placement}-{query.user_id}")

    def _answer(self, found: tuple[RecommendedItem, ...], token: str) -> Recommendation:
        return Recommendation(
            items=found,
            release="fake-20250101T000000Z",
            attribution_token=token,
            degraded=self.degraded,
            timings_ms={"user": 1.2, "recall": 8.0, "rank": 6.4, "item": 1.1, "total": 17.5},
        )

    def _category(self, item_id: str) -> str:
        return _leaf(self.items.items[item_id])

    def _found(self, item_id: str, place: int, because: Mapping[str, Item], seed: int) -> RecommendedItem:
        cause = because.get(self._category(item_id))
        if cause is not None:
            channel, reason = "item_to_item", Reason("because_of_item", cause.item_id, cause.title)
        elif seed and place % 3 == 2:
            channel, reason = "segment", Reason("popular_in_segment", segment="age=45-54")
        elif seed:
            channel = ("two_tower", "bought_again", "trending", "new")[place % 4]
            reason = Reason(REASON_OF_CHANNEL[channel])
        else:
            channel, reason = "popular", Reason("popular")
        item = None if Degradation.ITEM in self.degraded else self.items.items[item_id]
        return RecommendedItem(item_id, round(0.62 / (1 + place / 9), 4), (channel,), reason, item)


def _leaf(item: Item) -> str:
    return item.category_path[-1] if item.category_path else ""


@dataclass(frozen=True)
class FakeServices:
    """The shop's three ports over one world; those of the console are for its own tests."""

    user: FakeUsers
    item: FakeItems
    recommend: FakeRecommend

    @property
    def recall(self) -> RecallPort:
        raise NotImplementedError("only the console asks recall")

    @property
    def rank(self) -> RankPort:
        raise NotImplementedError("only the console asks rank")


def make_services() -> FakeServices:
    """A fresh world."""
    users, items = FakeUsers(), FakeItems()
    return FakeServices(users, items, FakeRecommend(users, items))
