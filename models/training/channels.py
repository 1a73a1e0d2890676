"""Recall channels that need no network: item-to-item neighbours, popular, trending and new.

Legend: U users, N items of the catalogue, K neighbours.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import scipy.linalg
import scipy.sparse

from engine.features import DAY_MS

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

_BLOCK = 2048  # rows of similarities held at once
_DENSE_LIMIT = 12_000  # the side of the largest dense system solved: 0.6 GB
_MONTH = 28.0  # days
_SHRINKAGE = 10.0  # cosine of few common users is pulled to zero


@dataclass(frozen=True)
class Purchases:
    """Positive events of catalogue items before a cutoff: equal-length columns."""

    user: IntArray
    row: IntArray
    at: IntArray  # ms
    weight: DoubleArray
    n_users: int
    n_items: int
    cutoff: int  # ms, after every event

    @property
    def days(self) -> DoubleArray:
        """Age of each event in days."""
        return (self.cutoff - self.at) / DAY_MS


def item_stats(purchases: Purchases) -> FloatArray:
    """float32 [N, S], the columns of ``features.STATS``, each 0 … 1."""
    days, row, n = purchases.days, purchases.row, purchases.n_items
    recent = np.bincount(row, purchases.weight * np.exp2(-days / 14.0), n)
    decayed = np.bincount(row, purchases.weight * np.exp2(-days / 90.0), n)
    # A purchase counts once for each moment: two lines of one receipt are not a return.
    moments = np.unique(np.stack([purchases.user, row, purchases.at]), axis=1)
    pairs, times = np.unique(moments[0] * n + moments[1], return_counts=True)
    buyers = np.bincount(pairs % n, minlength=n)
    returners = np.bincount(pairs % n, times > 1, n)
    first = np.zeros(n)
    np.maximum.at(first, row, days)
    newness = np.where(buyers > 0, np.exp2(-first / 30.0), 0.0)
    last = np.full(n, 400.0)
    np.minimum.at(last, row, days)
    now = np.bincount(row[days < _MONTH], minlength=n)
    before_last = np.bincount(row[(days >= _MONTH) & (days < 2 * _MONTH)], minlength=n)
    # Of those who had bought it a month ago, how many bought it since; of its buyers since, how many are new.
    earlier = np.unique(purchases.user[days >= _MONTH] * n + row[days >= _MONTH])
    since = np.unique(purchases.user[days < _MONTH] * n + row[days < _MONTH])
    stayed = np.bincount(np.intersect1d(earlier, since, assume_unique=True) % n, minlength=n)
    had, came = np.bincount(earlier % n, minlength=n), np.bincount(since % n, minlength=n) - stayed
    usual = stayed.sum() / max(int(had.sum()), 1)
    columns = [
        _log_scaled(recent),
        _log_scaled(decayed),
        _log_scaled(buyers),
        returners / (buyers + 5.0),
        newness,
        _log_scaled(now),
        np.clip(np.log((now + 5.0) / (before_last + 5.0)) / 4.0 + 0.5, 0.0, 1.0),
        np.sqrt((stayed + 20.0 * usual) / (had + 20.0)),
        _log_scaled(came),
        1.0 - np.log1p(np.clip(last, 0.0, 400.0)) / np.log1p(400.0),
        *(_log_scaled(np.bincount(row[days < span], minlength=n)) for span in (3.0, 7.0)),
    ]
    return np.stack(columns, axis=1).astype(np.float32)


def popular(purchases: Purchases, half_life: float = 7.0) -> DoubleArray:
    """Decayed number of purchases of each item, [N]."""
    return _counts(purchases, np.exp2(-purchases.days / half_life))


def trending(purchases: Purchases, days: float = 14.0, prior: float = 10.0) -> DoubleArray:
    """How much more an item sells in the last days than in as many before, damped for small numbers, [N]."""
    now = _counts(purchases, (purchases.days <= days).astype(np.float64))
    before = _counts(purchases, ((purchases.days > days) & (purchases.days <= 2 * days)).astype(np.float64))
    growth = (now + prior) / (before + prior)
    return np.where((growth > 1.0) & (now > 0), (growth - 1.0) * np.log1p(now), 0.0)


def new_items(purchases: Purchases, listed_at: DoubleArray, days: float = 56.0) -> DoubleArray:
    """Recent sales of items listed (``listed_at`` [N], ms or NaN) or else first sold lately, [N]."""
    first = np.full(purchases.n_items, np.inf)
    np.minimum.at(first, purchases.row, purchases.at.astype(np.float64))
    since = np.where(np.isnan(listed_at), first, listed_at)
    age = (purchases.cutoff - since) / DAY_MS
    return np.where((age >= 0) & (age <= days), 1.0 + popular(purchases), 0.0)


def neighbours(
    purchases: Purchases, count: int, method: str = "auto", ease_lambda: float = 1000.0
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """Similar items: rows int32 [N, K], best first, -1 = none; scores float32 [N, K], about 1 for a best one.

    ``ease`` (Steck, "Embarrassingly Shallow Autoencoders", WWW 2019) or ``cosine`` with shrinkage; ``auto``
    is EASE where users or items are few enough for a dense solve.
    """
    n, k = purchases.n_items, min(count, max(purchases.n_items - 1, 1))
    pairs = np.unique(purchases.user * n + purchases.row)
    ones = np.ones(len(pairs), np.float32)
    matrix = scipy.sparse.csr_matrix((ones, (pairs // n, pairs % n)), (purchases.n_users, n))  # [U, N]
    matrix = matrix[np.flatnonzero(np.diff(matrix.indptr))]  # users without purchases say nothing
    dense = min(matrix.shape) <= _DENSE_LIMIT if method == "auto" else method == "ease"
    similar = _Ease(matrix, ease_lambda) if dense else _Cosine(matrix)
    rows = np.full((n, count), -1, np.int32)
    scores = np.zeros((n, count), np.float32)
    for begin in range(0, n, _BLOCK):
        block = similar.block(begin, min(begin + _BLOCK, n))  # [b, N]
        lines = np.arange(len(block))[:, None]
        block[lines[:, 0], begin + lines[:, 0]] = -1.0  # an item is not its own neighbour
        best = np.argpartition(-block, k - 1, axis=1)[:, :k]
        best = best[lines, np.argsort(-block[lines, best], axis=1, kind="stable")]
        value = block[lines, best]
        rows[begin : begin + len(block), :k] = np.where(value > 0, best, -1)
        scores[begin : begin + len(block), :k] = np.maximum(value, 0)
    typical = float(scores[:, 0][scores[:, 0] > 0].mean()) if (scores[:, 0] > 0).any() else 1.0
    return rows, scores / np.float32(typical)


class _Ease:
    """B = P / -diag(P), P = (XᵀX + λI)⁻¹, solved on whichever side of X is smaller; rows on request."""

    def __init__(self, matrix: scipy.sparse.csr_matrix, weight: float) -> None:
        users, items = matrix.shape
        self._items_side = items <= users
        if self._items_side:
            gram = (matrix.T @ matrix).toarray()
            gram[np.diag_indices(items)] += weight
            self._left = scipy.linalg.inv(gram, overwrite_a=True, check_finite=False)  # P [N, N]
            self._scale = -1.0 / np.diag(self._left)
        else:
            # Woodbury: P = (I - Xᵀ (X Xᵀ + λI)⁻¹ X) / λ, so a U × U system is enough.
            gram = (matrix @ matrix.T).toarray()
            gram[np.diag_indices(users)] += weight
            dense = matrix.toarray()
            factor = scipy.linalg.cho_factor(gram, lower=True, overwrite_a=True, check_finite=False)
            self._right = scipy.linalg.cho_solve(
                factor, dense, overwrite_b=True, check_finite=False
            )  # [U, N]
            self._left = matrix.T.tocsr()  # [N, U]
            diagonal = np.asarray(self._left.multiply(self._right.T).sum(axis=1)).ravel()
            self._scale = 1.0 / (1.0 - diagonal)

    def block(self, begin: int, end: int) -> FloatArray:
        part = self._left[begin:end]
        rows = part if self._items_side else part.toarray() @ self._right
        return np.asarray(rows * self._scale[None, :], np.float32)


class _Cosine:
    """Common users over the root of both items' users, shrunk where few are common."""

    def __init__(self, matrix: scipy.sparse.csr_matrix) -> None:
        self._by_item, self._matrix = matrix.T.tocsr(), matrix
        self._norm = np.sqrt(np.maximum(np.asarray(matrix.sum(axis=0)).ravel(), 1.0))

    def block(self, begin: int, end: int) -> FloatArray:
        common = (self._by_item[begin:end] @ self._matrix).toarray()
        shrunk = common * (common / (common + _SHRINKAGE))
        return np.asarray(shrunk / (self._norm[begin:end, None] * self._norm[None, :]), np.float32)


def _counts(purchases: Purchases, factor: DoubleArray) -> DoubleArray:
    return np.bincount(purchases.row, purchases.weight * factor, purchases.n_items).astype(
        np.float64, copy=False
    )


def _log_scaled(values: npt.NDArray[np.generic]) -> DoubleArray:
    scaled = np.log1p(values.astype(np.float64))
    return np.asarray(scaled / max(float(scaled.max(initial=0.0)), 1e-9), np.float64)
