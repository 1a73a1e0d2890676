"""Popularity, and what the user bought most."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.records import LEAF
from models.evaluation.methods.baselines.common import visits
from models.evaluation.retail import RetailSplit
from models.training.channels import popular


class Popularity:
    """Items by the number of their buyers: the same list for everybody."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Count."""
        self._buyers = np.asarray(split.bought.sum(axis=0)).ravel()

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.tile(self._buyers, (len(users), 1))


class CategoryPopularity:
    """Items by the purchases of their leaf category, halved for every 28 days since, per item of it; within a
    category by the item's own. What is left of popularity for an item that nobody has bought yet."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Count. Items without a category are one category."""
        own = popular(split.train, half_life=28.0)
        record = {item: place for place, item in enumerate(split.data.item_ids)}
        leaves = [str(split.data.records[record[item]].get(LEAF) or "") for item in split.item_ids]
        leaf = np.unique(leaves, return_inverse=True)[1].ravel()
        mean = np.bincount(leaf, own) / np.bincount(leaf)
        self._scores = mean[leaf] + own / max(float(own.max(initial=1.0)), 1.0) * 1e-3

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.tile(self._scores, (len(users), 1))


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
