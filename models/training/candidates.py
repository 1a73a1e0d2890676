"""The candidates of a request, by channel and merged by quota: the ranker learns on what it will serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.features import HistorySummary, ItemTable
from engine.recall.repeat import bought_again, looked_at
from engine.recall.segments import Profile, Segments
from models.training.config import RecallConfig

IntArray = npt.NDArray[np.int64]
Scored = tuple[IntArray, npt.NDArray[np.float64]]

_SOURCES = 48  # of a user's items, those whose neighbours are proposed


def similar_to_history(table: ItemTable, past: HistorySummary, count: int) -> Scored:
    """Neighbours of the user's strongest items, not among those items, best first."""
    nothing = np.zeros(0, np.int64), np.zeros(0)
    if table.neighbours is None or table.neighbour_scores is None or not len(past.items):
        return nothing
    strongest = past.strongest(_SOURCES)
    strongest = strongest[past.items[strongest] < len(table.neighbours)]
    sources = past.items[strongest]
    if not len(sources):
        return nothing
    weight = np.log1p(past.long_weight + past.short_weight)[strongest]
    targets, scores = table.neighbours[sources], table.neighbour_scores[sources] * weight[:, None]
    found, inverse = np.unique(targets, return_inverse=True)
    total = np.bincount(inverse.ravel(), scores.ravel(), len(found)).astype(np.float64, copy=False)
    total[(found < 0) | np.isin(found, past.items)] = 0.0
    best = np.argsort(-total, kind="stable")[:count]
    best = best[total[best] > 0]
    return found[best].astype(np.int64), total[best]


def merge(channels: Sequence[tuple[IntArray, int]]) -> IntArray:
    """The union of the channels' rows: of each, the best ``quota`` that no channel before gave."""
    merged: dict[int, None] = {}
    for rows, quota in channels:
        fresh = [row for row in rows.tolist() if row not in merged]
        merged.update(dict.fromkeys(fresh[:quota]))
    return np.fromiter(merged, np.int64, len(merged))


@dataclass(frozen=True)
class Recaller:
    """Recall as served, over arrays in memory. ``vectors`` [N, D]; popular and trending: rows, best first."""

    table: ItemTable
    vectors: npt.NDArray[np.float32]
    popular: IntArray
    trending: IntArray
    segments: Segments
    quotas: RecallConfig

    def candidates(self, past: HistorySummary, user_vector: npt.NDArray[np.float32]) -> IntArray:
        """At most ``quotas.total`` distinct rows; ``user_vector`` [D]."""
        quotas = self.quotas
        looked, _ = looked_at(past, quotas.looked_at)
        repeat, _ = bought_again(past, quotas.looked_at + quotas.bought_again)
        similar, _ = similar_to_history(self.table, past, quotas.bought_again + quotas.item_to_item)
        return merge(
            [
                (looked, quotas.looked_at),
                (repeat, quotas.bought_again),
                (similar, quotas.item_to_item),
                (self._nearest(user_vector), quotas.tower),
                (self.popular, quotas.popular),
                (self.trending, quotas.trending),
            ]
        )

    def for_new(self, profile: Profile, user_vector: npt.NDArray[np.float32]) -> IntArray:
        """The same for a shopper with a profile and no history: what suits the profile comes first."""
        quotas = self.quotas
        return merge(
            [
                (self.segments.ranked(profile, quotas.segment), quotas.segment),
                (self._nearest(user_vector), quotas.tower),
                (self.popular, quotas.popular),
                (self.trending, quotas.trending),
            ]
        )

    def _nearest(self, user_vector: npt.NDArray[np.float32]) -> IntArray:
        depth = min(self.quotas.total, len(self.vectors))
        scores = self.vectors @ user_vector
        nearest = np.argpartition(-scores, depth - 1)[:depth]
        return nearest[np.argsort(-scores[nearest], kind="stable")]
