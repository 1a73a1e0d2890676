"""A user's history aggregated once a request; what all user-item features are computed from.

Legend: n events, m distinct items, H half-lives.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt

from engine import kernels
from engine.features.context import History
from engine.features.schema import INTEREST, FeatureSchema
from engine.features.table import IntArray, ItemTable
from engine.vocabulary import HISTORY_EVENT_TYPES

DoubleArray = npt.NDArray[np.float64]

SHORT_MEMORY, LONG_MEMORY = 0, -1
"""Positions in ``schema.half_lives``."""


_SAYS = {"view": 1, "click": 1, "cart": 2, "favorite": 2, "dislike": 3}  # a look, a want, a dislike
# By event type, as the compiled kernel reads them.
_INTEREST: DoubleArray = np.array([INTEREST[kind] for kind in HISTORY_EVENT_TYPES])
_MEANING = np.array([_SAYS.get(kind, 0) for kind in HISTORY_EVENT_TYPES], np.int8)


class HistorySummary:
    """A history aggregated once, whatever candidates are asked for later.

    ``history``: its events that the table knows; ``positive`` [n]: which of them took the item; ``items``
    [m]: their distinct rows, rising; ``long_weight`` and ``short_weight`` [m]: interest in each, by long and
    short memory; ``n_events`` and ``newest_age`` (days) count events of unknown items too.
    """

    def __init__(self, schema: FeatureSchema, table: ItemTable, history: History) -> None:
        known = history.rows >= 0
        self.n_events = len(history.rows)
        self.newest_age = float(history.ages[0]) if self.n_events else 365.0
        if not known.all():
            history = History(history.rows[known], history.types[known], history.ages[known])
        # Training's columns are reversed views, which the compiled kernel does not take.
        rows, types = np.ascontiguousarray(history.rows), np.ascontiguousarray(history.types)
        history = History(rows, types, np.ascontiguousarray(history.ages))
        self.history, self.ages = history, history.ages
        positive = _positive(schema.positive)
        self.positive = positive[history.types]
        self._half_lives = np.array(schema.half_lives)
        self.facts: tuple[DoubleArray, DoubleArray] | None = None  # as the compiled kernel gives them
        if (compiled := kernels.loaded()) is not None:
            self.items, *facts = compiled.summarise(
                history.rows, history.types, history.ages, table.prices,
                positive, _INTEREST, _MEANING, self._half_lives,
            )  # fmt: skip
            self.facts = (facts[0], facts[1])
            self.long_weight, self.short_weight = facts[0][:2]
            self.mean_price = float(facts[1][-1])
            return
        self.items = np.unique(history.rows)
        # Weight of each distinct item, long and short memory: [m] each.
        self.long_weight = self._by_item(self.decay[LONG_MEMORY] * self.liked)
        self.short_weight = self._by_item(self.decay[SHORT_MEMORY] * self.liked)
        prices = table.prices[history.rows]
        self.mean_price = float(np.nanmean(prices)) if np.isfinite(prices).any() else 0.0

    @cached_property
    def inverse(self) -> IntArray:
        """Each event's position in ``items``, [n]."""
        return np.searchsorted(self.items, self.history.rows)

    @cached_property
    def decay(self) -> DoubleArray:
        """2 ** (-age / half-life), [H, n]."""
        decay: DoubleArray = np.exp2(-self.ages / self._half_lives[:, None])
        return decay

    @cached_property
    def interest(self) -> DoubleArray:
        """How much each event says about interest, [n]."""
        return _INTEREST[self.history.types]

    @cached_property
    def liked(self) -> DoubleArray:
        """Interest, 1 where the item was taken, [n]."""
        return np.maximum(self.interest, self.positive)

    def _by_item(self, weights: DoubleArray) -> DoubleArray:
        return np.bincount(self.inverse, weights, len(self.items)).astype(np.float64, copy=False)

    def strongest(self, count: int) -> IntArray:
        """Positions in ``items`` of the items that matter most now, best first, at most ``count``."""
        weight = self.long_weight + self.short_weight
        order = np.argsort(-weight, kind="stable")[:count]
        strongest: IntArray = order[weight[order] > 0]
        return strongest


@lru_cache(maxsize=8)
def _positive(kinds: tuple[str, ...]) -> npt.NDArray[np.bool_]:
    """By event type, whether it takes the item."""
    return np.array([kind in kinds for kind in HISTORY_EVENT_TYPES])
