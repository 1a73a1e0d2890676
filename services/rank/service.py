"""Rank: from candidates to scores."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock
from typing import Protocol

import numpy as np

from engine.candidates import Candidates, Rows
from engine.errors import DeadlineExceeded, InvalidArgument
from engine.features import UserContext
from engine.ids import canonical_ids
from engine.types import ExplainResult, RankResult
from services.common.validate import check_ids
from services.rank.explain import Explainer
from services.rank.loaded import LoadedRanker

MAX_ITEMS = 1_000
MAX_EXPLAINED = 50
_LEAST_S = 0.1


class Rankers(Protocol):
    """The releases that are loaded here. `get("")` is the current one; raises ReleaseNotLoaded."""

    def get(self, name: str) -> LoadedRanker: ...


class RankService:
    """Implements `RankPort`."""

    def __init__(self, rankers: Rankers) -> None:
        self._rankers = rankers
        self._explainer: tuple[str, Explainer] | None = None  # of the release explained last
        self._lock = Lock()

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult:
        """See `RankPort`. Items that the release lacks get −1 and are listed."""
        if not 1 <= len(item_ids) <= MAX_ITEMS:
            raise InvalidArgument("item_ids", f"must be 1 to {MAX_ITEMS:,} ids, not {len(item_ids):,}")
        item_ids = canonical_ids(item_ids)
        if len(set(item_ids)) != len(item_ids):
            raise InvalidArgument("item_ids", "must be distinct")
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to rank items")
        ranker = self._rankers.get(release)
        rows = ranker.table.row_of(item_ids)
        scores = ranker.score(context, rows, timeout_s)
        missing = tuple(item_ids[place] for place in np.flatnonzero(rows < 0).tolist())
        return RankResult(scores, ranker.name, missing)

    def rank_candidates(
        self, context: UserContext, candidates: Candidates, timeout_s: float, release: str
    ) -> RankResult:
        """See `RankPort`."""
        ranker = self._rankers.get(release)
        if candidates.ids.release != ranker.name:
            return self.rank_items(context, candidates.item_ids(), timeout_s, release)
        return self.rank_rows(context, candidates.rows, timeout_s, release)

    def rank_rows(self, context: UserContext, rows: Rows, timeout_s: float, release: str) -> RankResult:
        """Scores of rows of a release, int64 [C]; −1 for those beyond it."""
        if not release:
            raise InvalidArgument("release", "must be given with rows: another release has other rows")
        if not 1 <= len(rows) <= MAX_ITEMS:
            raise InvalidArgument("rows", f"must be 1 to {MAX_ITEMS:,} rows, not {len(rows):,}")
        if len(np.unique(rows)) != len(rows):
            raise InvalidArgument("rows", "must be distinct")
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to rank items")
        ranker = self._rankers.get(release)
        return RankResult(ranker.score(context, rows, timeout_s), ranker.name)

    def explain_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> ExplainResult:
        """See `RankPort`. The first of a release also reads its catalogue, which takes about a second."""
        ids = check_ids("item_ids", item_ids, MAX_EXPLAINED)
        if len(ids) != len(item_ids):
            raise InvalidArgument("item_ids", "must be distinct")
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to explain items")
        end = time.monotonic() + timeout_s
        ranker = self._rankers.get(release)
        rows = ranker.table.row_of(ids)
        known = [item_id for item_id, row in zip(ids, rows.tolist(), strict=True) if row >= 0]
        missing = tuple(item_id for item_id, row in zip(ids, rows.tolist(), strict=True) if row < 0)
        if not known:
            return ExplainResult((), ranker.name, missing)
        explainer = self._explainer_of(ranker)
        # Reading the catalogue may have used up the time: the answer is still worth a moment.
        left_s = max(end - time.monotonic(), _LEAST_S)
        items = explainer.explain(ranker, context, known, rows[rows >= 0], left_s)
        return ExplainResult(tuple(items), ranker.name, missing)

    def _explainer_of(self, ranker: LoadedRanker) -> Explainer:
        with self._lock:
            if self._explainer is None or self._explainer[0] != ranker.name:
                self._explainer = (ranker.name, Explainer(ranker.release))
            return self._explainer[1]
