"""Rank: from candidates to scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from models.features import UserContext
from services.common.errors import DeadlineExceeded, InvalidArgument
from services.common.ports import RankResult
from services.rank.loaded import LoadedRanker

MAX_ITEMS = 1_000


class Rankers(Protocol):
    """The releases that are loaded here. `get("")` is the current one; raises ReleaseNotLoaded."""

    def get(self, name: str) -> LoadedRanker: ...


class RankService:
    """Implements `RankPort`."""

    def __init__(self, rankers: Rankers) -> None:
        self._rankers = rankers

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult:
        """See `RankPort`. Items that the release lacks get −1 and are listed."""
        if not 1 <= len(item_ids) <= MAX_ITEMS:
            raise InvalidArgument("item_ids", f"must be 1 to {MAX_ITEMS:,} ids, not {len(item_ids):,}")
        if len(set(item_ids)) != len(item_ids):
            raise InvalidArgument("item_ids", "must be distinct")
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to rank items")
        ranker = self._rankers.get(release)
        rows = ranker.table.row_of(item_ids)
        known = rows >= 0
        scores = np.full(len(rows), -1.0, np.float32)
        if known.all():
            return RankResult(ranker.score(context, rows, timeout_s), ranker.name)
        if known.any():
            scores[known] = ranker.score(context, rows[known], timeout_s)
        missing = tuple(item_id for item_id, has in zip(item_ids, known.tolist(), strict=True) if not has)
        return RankResult(scores, ranker.name, missing)
