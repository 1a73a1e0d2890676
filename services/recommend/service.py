"""Recommend: checks what is asked, runs the chain over its stages, and names the list."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from uuid import uuid4

import structlog

from engine.chain import Chain, ItemStage, List
from engine.errors import DeadlineExceeded, EcrsError, InvalidArgument
from engine.page import Policy
from engine.run import Budgets, Run
from engine.types import NO_FILTER, ItemFilter, Recommendation, RecommendQuery
from engine.vocabulary import (
    DEFAULT_PAGE,
    MAX_CANDIDATES,
    MAX_SESSION_ITEMS,
    MIN_CANDIDATES,
    SIMILAR_CHANNELS,
    is_impersonal,
)
from services.common.ports import RankPort, RecallPort, UserPort
from services.common.validate import (
    check_attributes,
    check_channels,
    check_filter,
    check_id,
    check_range,
    coerced_page_size,
)
from services.common.values import now_ms
from services.recommend.attribution import Attribution, make_token
from services.recommend.fallback import LastGoodList, RememberedItems
from services.recommend.snapshots import Snapshots

_PLACEMENT = re.compile(r"[a-z0-9_-]{1,64}")

log = structlog.get_logger(__name__)


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
        item: ItemStage,
        recall: RecallPort,
        rank: RankPort,
        snapshots: Snapshots,
        fallback: LastGoodList,
        *,
        deadline_s: float = 0.3,
        policy: Policy | None = None,
        budgets: Budgets | None = None,
        clock_ms: Callable[[], int] = now_ms,
        request_id: Callable[[], str] = str,
    ) -> None:
        self._snapshots = snapshots
        self._deadline_s = deadline_s
        self._clock_ms, self._request_id = clock_ms, request_id
        items = RememberedItems(item)
        self._chain = Chain(
            user,
            recall,
            rank,
            items,
            snapshot=snapshots.get,
            last_good=lambda: fallback.current,
            remembered=items.remembered,
            policy=policy,
            budgets=budgets,
        )

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation:
        """See `RecommendPort`."""
        query = self._checked(query, timeout_s)
        run = self._run(timeout_s)
        return self._named(self._chain.recommend(query, self._clock_ms(), run), query.placement, run)

    def similar_items(
        self,
        item_id: str,
        timeout_s: float,
        page_size: int = DEFAULT_PAGE,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation:
        """See `RecommendPort`. An item that is newer than the release gets the best of its own category.

        With `channels` nothing else stands in: what is called "bought together" must have been.
        """
        item_id = check_id("item_id", item_id)
        check_channels(channels, SIMILAR_CHANNELS)
        page_size = coerced_page_size(page_size)
        _check_page(item_filter, placement, timeout_s)
        run = self._run(timeout_s)
        found = self._chain.similar(item_id, page_size, item_filter, channels, self._clock_ms(), run)
        return self._named(found, placement, run)

    def _run(self, timeout_s: float) -> Run:
        return Run(min(timeout_s, self._deadline_s), time.perf_counter, _stage_failed)

    def _named(self, found: List, placement: str, run: Run) -> Recommendation:
        request_id = self._request_id()[:64] or uuid4().hex
        token = make_token(Attribution(found.release, placement, request_id))
        degraded = frozenset(run.degraded)
        return Recommendation(found.items, found.release, token, degraded, found.known, run.finish())

    def _checked(self, query: RecommendQuery, timeout_s: float) -> RecommendQuery:
        """The query within its limits, its ids canonical."""
        channels = check_channels(query.channels)
        if not (query.user_id or query.profile or query.session_item_ids or is_impersonal(channels)):
            raise InvalidArgument("user_id", "one of user_id, profile and session_item_ids must be given")
        user_id = check_id("user_id", query.user_id) if query.user_id else ""
        if query.profile:
            check_attributes("profile.attributes", query.profile, self._snapshots.attribute_names())
        if len(query.session_item_ids) > MAX_SESSION_ITEMS:
            problem = f"has {len(query.session_item_ids)} elements, allowed are at most {MAX_SESSION_ITEMS}"
            raise InvalidArgument("session_item_ids", problem)
        session = tuple(
            check_id(f"session_item_ids[{place}]", item_id)
            for place, item_id in enumerate(query.session_item_ids)
        )
        check_range("candidate_count", query.candidate_count, MIN_CANDIDATES, MAX_CANDIDATES)
        page_size = coerced_page_size(query.page_size)
        _check_page(query.filter, query.placement, timeout_s)
        return replace(query, user_id=user_id, session_item_ids=session, page_size=page_size)


def _check_page(item_filter: ItemFilter, placement: str, timeout_s: float) -> None:
    check_filter(item_filter)
    if not _PLACEMENT.fullmatch(placement):
        raise InvalidArgument("placement", "must be 1 to 64 characters of a-z, 0-9, _ and -")
    if timeout_s <= 0:
        raise DeadlineExceeded("no time is left to recommend")


def _stage_failed(stage: str, error: Exception) -> None:
    foreseen = isinstance(error, EcrsError)
    log.warning("stage.failed", stage=stage, error=str(error), exc_info=None if foreseen else error)
