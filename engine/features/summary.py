"""A user's history aggregated once a request; what all user-item features are computed from.

Legend: n events, m distinct items, H half-lives.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.features.context import History
from engine.features.schema import INTEREST, FeatureSchema
from engine.features.table import IntArray, ItemTable
from engine.vocabulary import HISTORY_EVENT_TYPES

DoubleArray = npt.NDArray[np.float64]

SHORT_MEMORY, LONG_MEMORY = 0, -1
"""Positions in ``schema.half_lives``."""


class HistorySummary:
    """A history aggregated once, whatever candidates are asked for later."""

    def __init__(self, schema: FeatureSchema, table: ItemTable, history: History) -> None:
        positive = np.array([kind in schema.positive for kind in HISTORY_EVENT_TYPES])
        interest = np.array([INTEREST[kind] for kind in HISTORY_EVENT_TYPES])
        known = history.rows >= 0
        self.n_events = len(history.rows)
        self.newest_age = float(history.ages[0]) if self.n_events else 365.0
        if not known.all():
            history = History(history.rows[known], history.types[known], history.ages[known])
        self.history, self.ages = history, history.ages
        self.positive = positive[history.types]
        self.items, self.inverse = np.unique(history.rows, return_inverse=True)  # [m], [n]
        # decay [H, n]: 2 ** (-age / half-life)
        self.decay: DoubleArray = np.exp2(-history.ages / np.array(schema.half_lives)[:, None])
        self.interest: DoubleArray = interest[history.types]
        self.liked: DoubleArray = np.maximum(self.interest, self.positive)
        # Weight of each distinct item, long and short memory: [m] each.
        self.long_weight = self._by_item(self.decay[LONG_MEMORY] * self.liked)
        self.short_weight = self._by_item(self.decay[SHORT_MEMORY] * self.liked)
        prices = table.prices[history.rows]
        self.mean_price = float(np.nanmean(prices)) if np.isfinite(prices).any() else 0.0

    def _by_item(self, weights: DoubleArray) -> DoubleArray:
        return np.bincount(self.inverse, weights, len(self.items)).astype(np.float64, copy=False)

    def strongest(self, count: int) -> IntArray:
        """Positions in ``items`` of the items that matter most now, best first, at most ``count``."""
        weight = self.long_weight + self.short_weight
        order = np.argsort(-weight, kind="stable")[:count]
        return order[weight[order] > 0]
