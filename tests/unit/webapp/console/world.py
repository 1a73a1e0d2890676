"""All five ports for the console: the shop's fakes, and recall and rank that say where things come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from engine.candidates import Candidate, Candidates, ChannelReport, RecallResult
from engine.errors import EcrsError, NotFound, Unavailable
from engine.features import Event, UserContext
from engine.types import (
    NO_FILTER,
    Contribution,
    ExplainResult,
    Item,
    ItemExplanation,
    ItemFilter,
    KnownContext,
    RankResult,
    Recommendation,
    RecommendQuery,
    UserEvent,
    profile_features,
)
from engine.vocabulary import CHANNELS, Degradation
from services.common.values import now_ms
from tests.unit.webapp.fake_stores import FakeItems, FakeUsers
from tests.unit.webapp.fakes import FakeRecommend

RELEASE = "fake-20250101T000000Z"


@dataclass
class ConsoleUsers(FakeUsers):
    """Users with contexts; household 1 has 40 purchases."""

    def __post_init__(self) -> None:
        self.events = [
            UserEvent("1", str(101 + place), "purchase", 1_700_000_000_000 + place, 1.0 + place)
            for place in range(40)
        ]

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext:
        self._check()
        events = [Event(one.item_id, one.type, one.at_ms) for one in self.of(user_id)][:max_events]
        stored = self.profiles.get(user_id)
        profile = profile_features(stored.attributes) if stored else {}
        context = UserContext.at_request(user_id, profile, events, now_ms())
        return KnownContext(context, known=stored is not None or bool(events))


@dataclass
class ConsoleItems(FakeItems):
    """Items whose batch reading can fail too."""

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        if self.fail:
            raise self.fail
        return super().batch_get_items(item_ids, timeout_s)


@dataclass
class ConsoleRecommend(FakeRecommend):
    """Lists that say whether the user is known."""

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation:
        answer = super().recommend(query, timeout_s)
        return replace(answer, user_known=query.user_id in self.users.profiles)


@dataclass
class FakeRecall:
    """RecallPort: every channel names ten items of its own and, first, item 101."""

    fail: EcrsError | None = None
    asked: list[UserContext] = field(default_factory=list)

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult:
        if self.fail:
            raise self.fail
        self.asked.append(context)
        wanted = tuple(channels) or CHANNELS
        candidates = [Candidate("101", 0.9, wanted, reason_item_id="102")]
        for channel in wanted:
            first = 102 + 8 * CHANNELS.index(channel)
            candidates += [
                Candidate(
                    str(first + place),
                    0.8 / (1 + place),
                    (channel,),
                    reason_segment="age=25-34" if channel == "segment" else "",
                )
                for place in range(8)
            ]
        reports = [ChannelReport(one, 9, "<b>no index</b>" if one == "new" else "") for one in wanted]
        return RecallResult(
            Candidates.of(candidates[:top_k]), RELEASE, frozenset({Degradation.INDEX}), tuple(reports)
        )

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult:
        if self.fail:
            raise self.fail
        if item_id != "101":
            raise NotFound(f"item {item_id[:50]} is not in this release")
        kinds = tuple(channels) or ("item_to_item", "two_tower")
        found = [
            Candidate(str(110 + n), 0.5 / (1 + n), (kinds[n % len(kinds)],)) for n in range(min(top_k, 30))
        ]
        return RecallResult(Candidates.of(found), RELEASE)

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[NDArray[np.float32], str]:
        raise NotImplementedError("the console shows no vector")


@dataclass
class FakeRank:
    """RankPort: later ids score higher. `explains` False: as a service of an older version."""

    explains: bool = True
    fail: EcrsError | None = None
    asked: list[UserContext] = field(default_factory=list)

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult:
        if self.fail:
            raise self.fail
        scores = [-1.0 if int(one) > 999 else int(one) / 1000 for one in item_ids]
        missing = tuple(one for one in item_ids if int(one) > 999)
        return RankResult(np.array(scores, np.float32), RELEASE, missing)

    def explain_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> ExplainResult:
        if self.fail or not self.explains:
            raise self.fail or Unavailable("rank does not explain")
        self.asked.append(context)
        parts = (
            Contribution("times bought", "3", 1.25),
            Contribution("age", "<25-34>", -0.4),
            Contribution("price", "1.99", 0.05),
            Contribution("brand", "Private", 0.01),
        )
        known = [one for one in item_ids if int(one) <= 999]
        missing = tuple(one for one in item_ids if int(one) > 999)
        found = tuple(ItemExplanation(one, int(one) / 1000, parts) for one in known)
        return ExplainResult(found, RELEASE, missing)


@dataclass(frozen=True)
class World:
    """What the console looks into."""

    user: ConsoleUsers
    item: ConsoleItems
    recommend: ConsoleRecommend
    recall: FakeRecall
    rank: FakeRank


def make_world() -> World:
    """A fresh one."""
    users, items = ConsoleUsers(), ConsoleItems()
    return World(users, items, ConsoleRecommend(users, items), FakeRecall(), FakeRank())
