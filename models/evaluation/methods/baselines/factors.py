"""iALS, matrix factors of implicit feedback.

Hu, Koren, Volinsky, "Collaborative Filtering for Implicit Feedback Datasets", ICDM 2008, in the form of
Rendle, Krichene, Zhang, Koren, "Revisiting the Performance of iALS on Item Recommendation Benchmarks", RecSys
2022:

    L = sum over S of (1 - <w_u, h_i>)² + α₀ · sum over all u, i of <w_u, h_i>²
        + λ · ( sum_u (|I_u| + α₀ N)^ν |w_u|² + sum_i (|U_i| + α₀ U)^ν |h_i|² )

With ν = 0 every user and item is regularised alike, as in the ``implicit`` library; ν = 1 by how often it
occurs. Legend: U users, N items, S pairs taken, I_u items of a user, U_i users of an item, D factors.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.retail import RetailSplit

FloatArray = npt.NDArray[np.float32]

_BLOCK = 1 << 22  # numbers in the systems that are solved at once


class ImplicitAls:
    """Alternating least squares on what was bought, binary."""

    def __init__(
        self,
        factors: int = 64,
        unobserved: float = 0.3,
        regularization: float = 0.01,
        exponent: float = 1.0,
        epochs: int = 8,
    ) -> None:
        """``unobserved``: α₀, ``regularization``: λ, ``exponent``: ν."""
        self._factors, self._epochs = factors, epochs
        self._unobserved, self._regularization, self._exponent = unobserved, regularization, exponent

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Factorise; equal seeds give equal factors."""
        by_user, by_item = split.bought.tocsr(), split.bought.T.tocsr()
        spread = 0.1 / np.sqrt(self._factors)
        drawn = np.random.default_rng(seed).normal(0.0, spread, (by_item.shape[0], self._factors))
        self._items: FloatArray = drawn.astype(np.float32)
        for _ in range(self._epochs):
            self._users = self._solved(by_user, self._items)
            self._items = self._solved(by_item, self._users)

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._users[users] @ self._items.T)

    def _solved(self, taken: Any, other: FloatArray) -> FloatArray:
        """One side's factors, [R, D], from pairs CSR [R, C] and the other side's factors [C, D].

        In the eigenvectors of α₀ · otherᵀ other the part that all rows share is diagonal, d. With n pairs a
        row is then a system of n × n where n < D (Woodbury), else of D × D: (diag(d) + Yᵀ Y) x = Yᵀ 1.
        """
        value, vectors = np.linalg.eigh(self._unobserved * (other.T @ other).astype(np.float64))
        turned = (other @ vectors).astype(np.float32)
        counts = np.diff(taken.indptr)
        weight = (counts + self._unobserved * len(other)) ** self._exponent
        shared = np.maximum(value, 0.0)[None, :] + self._regularization * weight[:, None]  # [R, D]
        found = np.zeros((len(counts), self._factors), np.float32)
        for count in np.unique(counts[counts > 0]).tolist():
            rows = np.flatnonzero(counts == count)
            step = max(_BLOCK // (max(count, self._factors) * self._factors), 1)
            for begin in range(0, len(rows), step):
                part = rows[begin : begin + step]
                at = taken.indptr[part][:, None] + np.arange(count)
                own = turned[taken.indices[at]]  # [B, n, D]
                found[part] = _systems(own, shared[part].astype(np.float32))
        return np.asarray(found @ vectors.T.astype(np.float32))


def _systems(own: FloatArray, shared: FloatArray) -> FloatArray:
    """x with (diag(shared) + ownᵀ own) x = ownᵀ 1 for each of B rows: [B, n, D], [B, D] -> [B, D]."""
    count, factors = own.shape[1:]
    if count < factors:
        scaled = own / shared[:, None, :]
        system = scaled @ own.transpose(0, 2, 1)  # [B, n, n]
        system[:, np.arange(count), np.arange(count)] += 1.0
        solved = np.linalg.solve(system, np.ones((len(own), count, 1), np.float32))
        return np.asarray((scaled * solved).sum(axis=1))
    system = own.transpose(0, 2, 1) @ own  # [B, D, D]
    system[:, np.arange(factors), np.arange(factors)] += shared
    return np.asarray(np.linalg.solve(system, own.sum(axis=1)[:, :, None])[:, :, 0])
