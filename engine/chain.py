"""The whole request: context, candidates, scores, page, whatever fails on the way.

    context once → candidates of one release → scores of the same release → order → details of the page

The stages may be in this process or behind gRPC. What a failing one leaves is the table "Failure policy" of
docs/adr/0050-*; each row is one `run.ask` below.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.candidates import Candidates, RecallResult
from engine.errors import NotFound
from engine.features import Event, EventColumns, UserContext
from engine.page import Policy, Scored, make_page, ranked
from engine.recall.session import session_items
from engine.run import Budgets, Run
from engine.snapshot import Snapshot
from engine.types import (
    NO_FILTER,
    Item,
    ItemFilter,
    KnownContext,
    RankResult,
    RecommendedItem,
    RecommendQuery,
    profile_features,
)
from engine.vocabulary import MAX_HISTORY, Degradation, is_impersonal

_MOST_SIMILAR = 500
STRANGER = KnownContext(UserContext("", {}, (), 0), known=False)
"""Of whom nothing is stored."""


class UserStage(Protocol):
    """Profiles and events; known=False and empty for a shopper who is not stored."""

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext: ...


class RecallStage(Protocol):
    """From the catalogue to candidates. `release` "" = the current one."""

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult: ...

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult: ...


class RankStage(Protocol):
    """From candidates to scores; `missing_ids` may stay empty."""

    def rank_candidates(
        self, context: UserContext, candidates: Candidates, timeout_s: float, release: str
    ) -> RankResult: ...


class ItemStage(Protocol):
    """Details of items."""

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]: ...


@dataclass(frozen=True, slots=True)
class List:
    """A page and how it came about."""

    items: tuple[RecommendedItem, ...]
    release: str
    known: bool = False


class Chain:
    """Makes lists out of four stages. Stateless; shared by all requests.

    Args:
        snapshot: a release by name, None while it is not loaded here: variety is then off.
        last_good: the last good popular list, for when recall does not answer.
        remembered: details read before, for when item does not answer.
    """

    def __init__(
        self,
        user: UserStage,
        recall: RecallStage,
        rank: RankStage,
        item: ItemStage,
        *,
        snapshot: Callable[[str], Snapshot | None],
        last_good: Callable[[], RecallResult],
        remembered: Callable[[Sequence[str]], Mapping[str, Item]] = lambda item_ids: {},
        policy: Policy | None = None,
        budgets: Budgets | None = None,
    ) -> None:
        self._user, self._recall, self._rank, self._item = user, recall, rank, item
        self._snapshot, self._last_good, self._remembered = snapshot, last_good, remembered
        self._policy, self._budgets = policy or Policy(), budgets or Budgets()

    def recommend(self, query: RecommendQuery, now_ms: int, run: Run) -> List:
        """The shopper's list. Never raises: what fails degrades."""
        who = self._context(query, now_ms, run)
        recalled, filtered = self._candidates(who.context, query, run)
        scored = self._scored(who.context, recalled, query.channels, run)
        if not filtered:
            scored = scored.without(query.filter.exclude_item_ids | _unwanted(who.context, query.filter))
        page = self._page(scored, query.page_size, query.filter, not filtered, run)
        return List(page, recalled.release, who.known)

    def similar(
        self,
        item_id: str,
        page_size: int,
        item_filter: ItemFilter,
        channels: Sequence[str],
        now_ms: int,
        run: Run,
    ) -> List:
        """Items like one. With `channels` nothing else stands in. Raises NotFound.

        An item of which recall knows nothing gets the best of its own category.
        """
        wanted = min(page_size * 2 + 10, _MOST_SIMILAR)  # some more, to replace what cannot be shown
        filtered = True
        try:
            recalled = run.ask(
                "recall",
                self._budgets.recall,
                Degradation.CANDIDATES,
                lambda left_s: self._recall.similar_items(
                    item_id, wanted, left_s, item_filter, channels=channels
                ),
                NotFound,
            )
        except NotFound:
            recalled = self._same_category(item_id, wanted, item_filter, channels, now_ms, run)
        if recalled is None:
            recalled, filtered = self._fallback(channels), False
        run.degraded |= recalled.degraded
        scored = _as_recalled(recalled.candidates)
        hidden = frozenset((item_id,)) if filtered else item_filter.exclude_item_ids | {item_id}
        page = self._page(scored.without(hidden), page_size, item_filter, not filtered, run)
        return List(page, recalled.release)

    def _context(self, query: RecommendQuery, now_ms: int, run: Run) -> KnownContext:
        stored: KnownContext | None = None
        if query.user_id:
            stored = run.ask(
                "user",
                self._budgets.user,
                Degradation.USER,
                lambda left_s: self._user.get_user_context(query.user_id, MAX_HISTORY, left_s),
            )
        return request_context(query, stored or STRANGER, now_ms)

    def _candidates(self, context: UserContext, query: RecommendQuery, run: Run) -> tuple[RecallResult, bool]:
        """Recall's candidates, or the last good popular list; and whether they went through the filter."""
        recalled = run.ask(
            "recall",
            self._budgets.recall,
            Degradation.CANDIDATES,
            lambda left_s: self._recall.recall_items(
                context, query.candidate_count, left_s, channels=query.channels, item_filter=query.filter
            ),
        )
        if recalled is None:
            return self._fallback(query.channels), False
        run.degraded |= recalled.degraded
        return recalled, True

    def _scored(
        self, context: UserContext, recalled: RecallResult, channels: Sequence[str], run: Run
    ) -> Scored:
        """Candidates by the ranker's score, or in recall's order if it fails.

        The page's rules are not for rails: nothing is owed to the session, and impersonal ones keep their
        order.
        """
        candidates = recalled.candidates
        if not len(candidates):
            return _as_recalled(candidates)
        answer = run.ask(
            "rank",
            self._budgets.rank,
            Degradation.RANK,
            lambda left_s: self._rank.rank_candidates(context, candidates, left_s, recalled.release),
        )
        categories = None
        if not is_impersonal(channels) and (snapshot := self._snapshot(recalled.release)) is not None:
            categories = snapshot.categories_of(candidates)
        session = () if channels else session_items(context)
        scores = candidates.scores if answer is None else answer.scores
        scored = Scored(candidates, scores, categories, reached_from(session, candidates))
        return scored if answer is None else ranked(self._policy, scored, channels, bool(context.events))

    def _page(
        self, scored: Scored, page_size: int, item_filter: ItemFilter, check_filter: bool, run: Run
    ) -> tuple[RecommendedItem, ...]:
        def read(item_ids: Sequence[str]) -> Mapping[str, Item] | None:
            answer = run.ask(
                "item",
                self._budgets.item,
                Degradation.ITEM,
                lambda left_s: self._item.batch_get_items(item_ids, left_s),
            )
            return None if answer is None else {item.item_id: item for item in answer[0]}

        return make_page(self._policy, scored, page_size, item_filter, check_filter, read, self._remembered)

    def _same_category(
        self,
        item_id: str,
        wanted: int,
        item_filter: ItemFilter,
        channels: Sequence[str],
        now_ms: int,
        run: Run,
    ) -> RecallResult | None:
        """For an item of which recall knows nothing: popular items of its leaf category. Raises NotFound.

        Those are alternatives; what is bought together with it nobody knows yet. Without a category there are
        none: what is popular everywhere is not similar.
        """
        found = run.ask(
            "item",
            self._budgets.item,
            Degradation.ITEM,
            lambda left_s: self._item.batch_get_items([item_id], left_s),
        )
        if found is None or not found[0]:
            raise NotFound(f"item {item_id!r} is not in the catalogue")
        leaf = found[0][0].category_path[-1:]
        if not leaf or (channels and "two_tower" not in channels):
            return RecallResult(Candidates.of(()), self._last_good().release)
        narrowed = item_filter if item_filter.categories else replace(item_filter, categories=frozenset(leaf))
        nobody = UserContext("", {}, (), now_ms)
        return run.ask(
            "recall",
            self._budgets.recall,
            Degradation.CANDIDATES,
            lambda left_s: self._recall.recall_items(nobody, wanted, left_s, item_filter=narrowed),
        )

    def _fallback(self, channels: Sequence[str]) -> RecallResult:
        found = self._last_good()
        return replace(found, candidates=found.candidates.of_channels(channels))


def request_context(query: RecommendQuery, stored: KnownContext, now_ms: int) -> KnownContext:
    """Stored profile and events, overridden and preceded by what the query itself brings."""
    now = max(now_ms, stored.context.now)
    events = stored.context.events
    if query.session_item_ids:
        newest = max(now, events[0].at + 1 if events else 0)
        clicks = [Event(one, "click", newest - place) for place, one in enumerate(query.session_item_ids)]
        events = EventColumns.of(clicks).followed_by(EventColumns.of(events))[:MAX_HISTORY]
    profile = {**stored.context.profile, **profile_features(query.profile or {})}
    return KnownContext(UserContext.at_request(query.user_id, profile, events, now), stored.known)


def reached_from(session: Sequence[str], candidates: Candidates) -> npt.NDArray[np.bool_]:
    """Whether each candidate was proposed as a neighbour of one of the session's items, bool [k]."""
    rows = candidates.ids.row_of(session) if session else np.empty(0, np.int64)
    reasons = np.isin(candidates.reason_rows, rows[rows >= 0])
    return reasons & candidates.named_by("item_to_item")


def _as_recalled(candidates: Candidates) -> Scored:
    return Scored(candidates, candidates.scores, None, np.zeros(len(candidates), np.bool_))


def _unwanted(context: UserContext, item_filter: ItemFilter) -> frozenset[str]:
    """What recall would have hidden from this shopper: disliked items, bought ones if asked for."""
    hidden = {"dislike", "purchase"} if item_filter.exclude_purchased else {"dislike"}
    return frozenset(event.item_id for event in context.events if event.type in hidden)
