"""Recommend: the chain of user, recall, rank and item, and a list whatever fails.

    context once → candidates of one release → scores of the same release → policy → details of the page

What a failing part leaves: the table "Failure policy" of docs/adr/0050-*; each row is one `run.ask` below.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

import numpy as np

from engine.errors import DeadlineExceeded, InvalidArgument, NotFound
from engine.features import Event, UserContext
from engine.policy import Policy, ordered, place_new
from engine.recall.session import session_items
from engine.types import NO_FILTER, ItemFilter, KnownContext, RecallResult, Recommendation, RecommendQuery
from engine.vocabulary import MAX_HISTORY, SIMILAR_CHANNELS, Degradation
from services.common.ports import ItemPort, RankPort, RecallPort, UserPort
from services.common.validate import (
    check_attributes,
    check_channels,
    check_filter,
    check_id,
    check_page_size,
    check_range,
)
from services.common.values import now_ms, profile_features
from services.recommend.attribution import Attribution, make_token
from services.recommend.facts import Facts
from services.recommend.fallback import LastGoodList
from services.recommend.page import PageMaker, Scored, without
from services.recommend.rails import is_impersonal, of_channels, ranked_places
from services.recommend.run import Budgets, Run

MAX_SESSION_ITEMS = 50
CANDIDATES = (50, 500)
_PLACEMENT = re.compile(r"[a-z0-9_-]{1,64}")


class RecommendService:
    """Implements `RecommendPort`. Raises InvalidArgument, DeadlineExceeded and NotFound (similar items) only.

    Args:
        deadline_s: the most that a request may take, however much its caller gives.
        clock_ms: now, in milliseconds since the epoch.
        request_id: id of the request being served; "" makes a new one.
    """

    def __init__(
        self,
        user: UserPort,
        item: ItemPort,
        recall: RecallPort,
        rank: RankPort,
        facts: Facts,
        fallback: LastGoodList,
        *,
        deadline_s: float = 0.3,
        policy: Policy | None = None,
        budgets: Budgets | None = None,
        clock_ms: Callable[[], int] = now_ms,
        request_id: Callable[[], str] = str,
    ) -> None:
        self._user, self._item, self._recall, self._rank = user, item, recall, rank
        self._facts, self._fallback = facts, fallback
        self._deadline_s = deadline_s
        self._budgets = budgets or Budgets()
        self._policy = policy or Policy()
        self._pages = PageMaker(item, self._policy, self._budgets)
        self._clock_ms, self._request_id = clock_ms, request_id

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation:
        """See `RecommendPort`."""
        query = self._checked(query, timeout_s)
        run = Run(min(timeout_s, self._deadline_s))
        who = self._context(query, run)
        recalled, filtered = self._candidates(who.context, query, run)
        scored = self._scored(who.context, recalled, query.channels, run)
        if not filtered:
            scored = without(scored, query.filter.exclude_item_ids | _unwanted(who.context, query.filter))
        items = self._pages.make(scored, query.page_size, query.filter, not filtered, run)
        return Recommendation(
            items,
            recalled.release,
            self._token(recalled.release, query.placement),
            frozenset(run.degraded),
            who.known,
            run.finish(),
        )

    def similar_items(
        self,
        item_id: str,
        timeout_s: float,
        page_size: int = 20,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation:
        """See `RecommendPort`. An item that is newer than the release gets the best of its own category.

        With `channels` nothing else stands in: what is called "bought together" must have been.
        """
        item_id = check_id("item_id", item_id)
        check_channels(channels, SIMILAR_CHANNELS)
        _check_page(page_size, item_filter, placement, timeout_s)
        run = Run(min(timeout_s, self._deadline_s))
        wanted = min(page_size * 2 + 10, CANDIDATES[1])  # some more, to replace what cannot be shown
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
            recalled = self._same_category(item_id, wanted, item_filter, channels, run)
        if recalled is None:
            recalled, filtered = of_channels(self._fallback.current, channels), False
        run.degraded |= recalled.degraded
        candidates = recalled.candidates
        scored = Scored(candidates, [c.score for c in candidates], None, [False] * len(candidates))
        if not filtered:
            scored = without(scored, item_filter.exclude_item_ids)
        scored = without(scored, frozenset((item_id,)))
        items = self._pages.make(scored, page_size, item_filter, not filtered, run)
        return Recommendation(
            items,
            recalled.release,
            self._token(recalled.release, placement),
            frozenset(run.degraded),
            False,
            run.finish(),
        )

    def _checked(self, query: RecommendQuery, timeout_s: float) -> RecommendQuery:
        """The query within its limits, its ids canonical."""
        channels = check_channels(query.channels)
        if not (query.user_id or query.profile or query.session_item_ids or is_impersonal(channels)):
            raise InvalidArgument("user_id", "one of user_id, profile and session_item_ids must be given")
        user_id = check_id("user_id", query.user_id) if query.user_id else ""
        if query.profile:
            check_attributes("profile.attributes", query.profile, self._facts.attribute_names())
        if len(query.session_item_ids) > MAX_SESSION_ITEMS:
            count = len(query.session_item_ids)
            raise InvalidArgument("session_item_ids", f"has {count} elements, allowed are at most 50")
        session = tuple(
            check_id(f"session_item_ids[{place}]", item_id)
            for place, item_id in enumerate(query.session_item_ids)
        )
        check_range("candidate_count", query.candidate_count, *CANDIDATES)
        _check_page(query.page_size, query.filter, query.placement, timeout_s)
        return replace(query, user_id=user_id, session_item_ids=session)

    def _context(self, query: RecommendQuery, run: Run) -> KnownContext:
        """Stored profile and events, overridden and preceded by what the query itself brings."""
        stored: KnownContext | None = None
        if query.user_id:
            stored = run.ask(
                "user",
                self._budgets.user,
                Degradation.USER,
                lambda left_s: self._user.get_user_context(query.user_id, MAX_HISTORY, left_s),
            )
        now = max(self._clock_ms(), stored.context.now if stored else 0)
        events = list(stored.context.events) if stored else []
        if query.session_item_ids:
            newest = max(now, events[0].at + 1 if events else 0)
            clicks = [
                Event(item_id, "click", newest - place)
                for place, item_id in enumerate(query.session_item_ids)
            ]
            events = [*clicks, *events][:MAX_HISTORY]
        profile = {**(stored.context.profile if stored else {}), **profile_features(query.profile or {})}
        context = UserContext.at_request(query.user_id, profile, events, now)
        return KnownContext(context, stored.known if stored else False)

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
            return of_channels(self._fallback.current, query.channels), False
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
        if not candidates:
            return Scored((), (), None, ())
        item_ids = [candidate.item_id for candidate in candidates]
        ranked = run.ask(
            "rank",
            self._budgets.rank,
            Degradation.RANK,
            lambda left_s: self._rank.rank_items(context, item_ids, left_s, recalled.release),
        )
        categories: list[int] | None = None
        if not is_impersonal(channels):
            categories = self._facts.leaf_categories(recalled.release, item_ids)
        session = frozenset(session_items(context)) if not channels else frozenset()
        from_session = [
            candidate.reason_item_id in session and "item_to_item" in candidate.channels
            for candidate in candidates
        ]
        if ranked is None:
            return Scored(candidates, [c.score for c in candidates], categories, from_session)
        if is_impersonal(channels):
            order = ranked_places(ranked.scores, channels)
        else:
            order = ordered(self._policy, context, candidates, ranked.scores)
            order = place_new(self._policy, order, (ranked.scores < 0).tolist())
        scores = np.maximum(ranked.scores, 0.0).tolist()  # 0 for an item the ranker lacks
        return Scored(
            [candidates[place] for place in order],
            [scores[place] for place in order],
            [categories[place] for place in order] if categories is not None else None,
            [from_session[place] for place in order],
        )

    def _same_category(
        self, item_id: str, wanted: int, item_filter: ItemFilter, channels: Sequence[str], run: Run
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
            return RecallResult((), self._fallback.current.release)
        narrowed = item_filter if item_filter.categories else replace(item_filter, categories=frozenset(leaf))
        nobody = UserContext("", {}, (), self._clock_ms())
        return run.ask(
            "recall",
            self._budgets.recall,
            Degradation.CANDIDATES,
            lambda left_s: self._recall.recall_items(nobody, wanted, left_s, item_filter=narrowed),
        )

    def _token(self, release: str, placement: str) -> str:
        return make_token(Attribution(release, placement, self._request_id()[:64] or uuid4().hex))


def _check_page(page_size: int, item_filter: ItemFilter, placement: str, timeout_s: float) -> None:
    check_page_size(page_size)
    check_filter(item_filter)
    if not _PLACEMENT.fullmatch(placement):
        raise InvalidArgument("placement", "must be 1 to 64 characters of a-z, 0-9, _ and -")
    if timeout_s <= 0:
        raise DeadlineExceeded("no time is left to recommend")


def _unwanted(context: UserContext, item_filter: ItemFilter) -> frozenset[str]:
    """What recall would have hidden from this shopper: disliked items, bought ones if asked for."""
    hidden = {"dislike", "purchase"} if item_filter.exclude_purchased else {"dislike"}
    return frozenset(event.item_id for event in context.events if event.type in hidden)
