"""Nearest neighbours: of items (ItemKNN) and of users with decayed purchases (TIFU-KNN).

Hu et al., "Modeling Personalized Item Frequency Information for Next-basket Recommendation", SIGIR 2020; here
with one exponential decay by age instead of the paper's decay by group of baskets.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from models.evaluation.methods.baselines.common import visits
from models.evaluation.retail import RetailSplit

_BLOCK = 1024


class ItemKnn:
    """Sum of the cosines, shrunk, of the item with each item bought; of each item its 200 nearest count."""

    def __init__(self, neighbours: int = 200, shrinkage: float = 10.0) -> None:
        self._neighbours, self._shrinkage = neighbours, shrinkage

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Similarities, block by block."""
        self._bought = split.bought
        by_item = split.bought.T.tocsr()
        root = np.sqrt(np.maximum(np.asarray(split.bought.sum(axis=0)).ravel(), 1.0))
        lines, count = [], min(self._neighbours, len(root) - 1)
        for begin in range(0, len(root), _BLOCK):
            common = (by_item[begin : begin + _BLOCK] @ split.bought).toarray()
            norm = root[begin : begin + _BLOCK, None] * root[None, :]
            similar = common / norm * (common / (common + self._shrinkage))
            similar[np.arange(len(similar)), begin + np.arange(len(similar))] = 0.0
            least = -np.partition(-similar, count, axis=1)[:, count : count + 1]
            lines.append(scipy.sparse.csr_matrix(np.where(similar > least, similar, 0.0).astype(np.float32)))
        self.similar = scipy.sparse.vstack(lines).tocsr()  # line: an item, columns: its neighbours

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray((self._bought[users] @ self.similar).toarray())


class TifuKnn:
    """α · the user's own decayed counts + (1 − α) · the mean of the nearest users' (cosine)."""

    def __init__(self, half_life: float = 90.0, neighbours: int = 300, alpha: float = 0.7) -> None:
        self._half_life, self._neighbours, self._alpha = half_life, neighbours, alpha

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Keep everybody's decayed counts."""
        self._counts = visits(split.train, self._half_life)
        norm = np.sqrt(np.asarray(self._counts.multiply(self._counts).sum(axis=1)).ravel())
        self._unit = (scipy.sparse.diags(1.0 / np.maximum(norm, 1e-9)) @ self._counts).tocsr()

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        similar = (self._unit[users] @ self._unit.T).toarray()
        similar[np.arange(len(users)), users] = -1.0
        count = min(self._neighbours, similar.shape[1] - 1)
        near = np.argpartition(-similar, count - 1, axis=1)[:, :count]
        lines = np.repeat(np.arange(len(users)), count)
        shape = (len(users), similar.shape[1])
        mean = scipy.sparse.csr_matrix((np.full(near.size, 1.0 / count), (lines, near.ravel())), shape)
        own = self._counts[users].toarray()
        return np.asarray(self._alpha * own + (1 - self._alpha) * (mean @ self._counts).toarray())
