"""Hand-written stand-ins for the services, each of which can be told to fail."""

from __future__ import annotations

import threading
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from engine.candidates import Candidate, Candidates, RecallResult, Rows
from engine.errors import NotFound, Unavailable
from engine.features import Event, UserContext
from engine.snapshot import Snapshot
from engine.types import (
    NO_FILTER,
    Category,
    Contribution,
    ExplainResult,
    Item,
    ItemExplanation,
    ItemFilter,
    KnownContext,
    RankResult,
    SearchQuery,
    SearchResult,
    UserEvent,
    UserProfile,
    profile_features,
)
from engine.vocabulary import IMPRESSION
from services.recommend.snapshots import Snapshots
from tests.support.releases import DATA_END, records

NOW = DATA_END + 3_600_000


class Failing:
    """A dependency that raises `error` while it is set, hangs until `hangs` is, and remembers its calls."""

    def __init__(self) -> None:
        self.error: Exception | None = None
        self.hangs: threading.Event | None = None
        self.calls: list[object] = []

    def _called(self, what: object) -> None:
        self.calls.append(what)
        if self.hangs is not None:
            self.hangs.wait(10)
        if self.error is not None:
            raise self.error

    def go_down(self) -> None:
        """From now on the dependency does not answer."""
        self.error = Unavailable("down for the test")


class FakeUsers(Failing):
    """Users in a dictionary. Implements `UserPort`."""

    def __init__(self, now: int = NOW) -> None:
        super().__init__()
        self.now = now
        self.profiles: dict[str, UserProfile] = {}
        self.events: dict[str, list[Event]] = {}

    def add(self, user_id: str, events: Sequence[Event] = (), **attributes: str) -> None:
        """Store a user; events newest first."""
        self.profiles[user_id] = UserProfile(user_id, attributes)
        self.events[user_id] = list(events)

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile:
        self._called(user_id)
        if user_id not in self.profiles:
            raise NotFound(f"there is no user {user_id!r}")
        return self.profiles[user_id]

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]:
        self._called(user_ids)
        found = [self.profiles[one] for one in user_ids if one in self.profiles]
        return found, [one for one in user_ids if one not in self.profiles]

    def list_users(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[UserProfile], str]:
        self._called(page_token)
        return list(self.profiles.values())[:page_size], ""

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int:
        self._called(users)
        for user in users:
            self.profiles[user.user_id] = user
        return len(users)

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext:
        self._called(user_id)
        profile = self.profiles.get(user_id, UserProfile(user_id))
        events = self.events.get(user_id, [])[:max_events]
        known = user_id in self.profiles or bool(events)
        features = profile_features(profile.attributes)
        return KnownContext(UserContext.at_request(user_id, features, events, self.now), known)

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int:
        self._called(events)
        for event in events:
            if event.type == IMPRESSION:
                continue
            stored = Event(event.item_id, event.type, event.at_ms or self.now)
            self.events.setdefault(event.user_id, []).insert(0, stored)
        return len(events)

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]:
        self._called(user_id)
        stored = self.events.get(user_id, [])[:page_size]
        return [UserEvent(user_id, event.item_id, event.type, event.at) for event in stored], ""

    def delete_user(self, user_id: str, timeout_s: float) -> bool:
        self._called(user_id)
        return self.profiles.pop(user_id, None) is not None


class FakeItems(Failing):
    """A catalogue, by default the tiny release's, in a dictionary. Implements `ItemPort`."""

    def __init__(self, catalogue: Iterable[Mapping[str, object]] | None = None) -> None:
        super().__init__()
        chosen = records() if catalogue is None else catalogue
        self.items = {record["sku_id"]: _item(record) for record in chosen}

    def get_item(self, item_id: str, timeout_s: float) -> Item:
        self._called(item_id)
        if item_id not in self.items:
            raise NotFound(f"there is no item {item_id!r}")
        return self.items[item_id]

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        self._called(list(item_ids))
        found = [self.items[one] for one in item_ids if one in self.items]
        return found, [one for one in item_ids if one not in self.items]

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int:
        self._called(items)
        self.items.update({item.item_id: item for item in items})
        return len(items)

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]:
        self._called(item_ids)
        for item_id in item_ids:
            self.items[item_id] = _item({**_record(self.items[item_id]), "available": available})
        return len(item_ids), []

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]:
        self._called(page_token)
        return list(self.items.values())[:page_size], ""

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult:
        self._called(query)
        found = [item for item in self.items.values() if query.text in item.title]
        return SearchResult(tuple(found[: query.page_size]), "", len(found))

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]:
        self._called(depth)
        return tuple(Category(f"department{number}", 100) for number in range(3))


class FakeRecall(Failing):
    """Gives the candidates it was told. Implements `RecallPort`."""

    def __init__(self, candidates: Sequence[Candidate] = (), release: str = "r1") -> None:
        super().__init__()
        self.result = RecallResult(Candidates.of(candidates), release)

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult:
        self._called(context)
        return self.result

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult:
        self._called(item_id)
        return self.result

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[np.ndarray, str]:
        self._called(context)
        return np.ones(1, np.float32), self.result.release


class FakeRank(Failing):
    """Scores by the number in the id: i7 gets 0.007. Implements `RankPort`."""

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult:
        self._called(release)
        return RankResult(np.array([int(one[1:]) / 1000 for one in item_ids], np.float32), release)

    def rank_candidates(
        self, context: UserContext, candidates: Candidates, timeout_s: float, release: str
    ) -> RankResult:
        return self.rank_items(context, candidates.item_ids(), timeout_s, release)

    def rank_rows(self, context: UserContext, rows: Rows, timeout_s: float, release: str) -> RankResult:
        raise AssertionError("nothing here has rows")

    def explain_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> ExplainResult:
        self._called(release)
        why = (Contribution("times bought", "once", 0.5),)
        return ExplainResult(
            tuple(ItemExplanation(one, int(one[1:]) / 1000, why) for one in item_ids), release
        )


class NoSnapshots(Snapshots):
    """Recommend without a release of its own."""

    def __init__(self) -> None:
        """No releases."""

    def get(self, name: str = "") -> Snapshot | None:
        return None

    def attribute_names(self) -> frozenset[str] | None:
        return frozenset({"age", "sex"})


def _item(record: Mapping[str, object]) -> Item:
    path = record["category_path"]
    assert isinstance(path, list | tuple)
    price = record["price"]
    return Item(
        str(record["sku_id"]),
        str(record["title"]),
        tuple(path),
        str(record["brand"]),
        "shop",
        float(price) if isinstance(price, int | float) else None,
        bool(record["available"]),
    )


def _record(item: Item) -> dict[str, object]:
    return {
        "sku_id": item.item_id,
        "title": item.title,
        "category_path": item.category_path,
        "brand": item.brand,
        "price": item.price,
    }
