"""Popularity, and what the user bought most."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.baselines.common import visits
from models.evaluate.retail import RetailSplit


class Popularity:
    """Items by the number of their buyers: the same list for everybody."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Count."""
        self._buyers = np.asarray(split.bought.sum(axis=0)).ravel()

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.tile(self._buyers, (len(users), 1))


class PersonalFrequency:
    """How often the user bought the item, old purchases counting less; then by popularity."""

    def __init__(self, half_life: float | None = None) -> None:
        self._half_life = half_life

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Count."""
        self._counts = visits(split.train, self._half_life)
        buyers = np.asarray(split.bought.sum(axis=0)).ravel()
        # Less than any difference between counts, more than float32 loses on the largest of them.
        least = 1e-3 if self._half_life is None else 1e-6
        self._tie = buyers / max(float(buyers.max(initial=1.0)), 1.0) * least

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._counts[users].toarray() + self._tie)
