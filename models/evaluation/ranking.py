"""Measures of ranked lists, for all users at once, with bootstrap intervals over users.

Legend: G users, K places of a list, N items of the catalogue.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]

EMPTY_PLACE = -1  # an empty place of a list


@dataclass(frozen=True)
class RankedLists:
    """The lists of G users, best first; ``rows`` int64 [G, K] of the catalogue, -1 = empty place.

    ``channel`` [G, K]: what proposed the item, for methods that know; else the method's name.
    """

    users: IntArray  # [G]
    rows: IntArray  # [G, K]
    scores: npt.NDArray[np.float32]  # [G, K]
    channel: npt.NDArray[np.str_]  # [G, K]

    def of(self, users: IntArray) -> RankedLists:
        """The lists of some of the users; all of them must be there."""
        place = np.searchsorted(self.users, users)
        return RankedLists(users, self.rows[place], self.scores[place], self.channel[place])


def per_user(rows: IntArray, truth: Any, k: int) -> dict[str, DoubleArray]:
    """Both recalls, NDCG (binary gain), hit and reciprocal rank of the best ``k``: [G] each.

    ``recall_at_k`` divides the hits by min(|truth|, k), so that a perfect list has 1;
    ``recall_of_truth_at_k`` by |truth|, as many papers do: with more than k items in the truth no list can
    reach 1.
    ``rows`` int64 [G, K]; ``truth`` CSR [G, N], each line with at least one item.
    """
    rows = rows[:, :k]
    lines = np.arange(len(rows))[:, None]
    hit = np.asarray(truth[lines, np.maximum(rows, 0)].todense() > 0) & (rows >= 0)  # [G, K]
    discount = 1.0 / np.log2(np.arange(2, k + 2))
    size = np.minimum(np.diff(truth.indptr), k)  # [G]
    ideal = np.cumsum(discount)[size - 1]
    first = np.where(hit.any(axis=1), hit.argmax(axis=1), k)
    return {
        f"recall_at_{k}": hit.sum(axis=1) / size,
        f"recall_of_truth_at_{k}": hit.sum(axis=1) / np.diff(truth.indptr),
        f"ndcg_at_{k}": (hit * discount[: rows.shape[1]]).sum(axis=1) / ideal,
        f"hit_rate_at_{k}": hit.any(axis=1).astype(np.float64),
        f"mrr_at_{k}": np.where(first < k, 1.0 / (first + 1.0), 0.0),
    }


def coverage(rows: IntArray, n_items: int, k: int) -> float:
    """Share of the catalogue that is in anybody's best ``k``."""
    shown = rows[:, :k]
    return len(np.unique(shown[shown >= 0])) / n_items


def novelty(rows: IntArray, popularity: DoubleArray, k: int) -> float:
    """Mean self-information, in bits, of what is shown: -log2 of the share of users who took the item.

    ``popularity`` [N]: that share, at least one user's.
    """
    shown = rows[:, :k]
    return float(-np.log2(popularity[shown[shown >= 0]]).mean())


def interval(values: DoubleArray, seed: int = 7, draws: int = 1000) -> tuple[float, float]:
    """The 95 % interval of the mean by bootstrap over users: percentiles of ``draws`` resampled means."""
    low, high = intervals(values[:, None], seed, draws)[:, 0].tolist()
    return low, high


def intervals(values: DoubleArray, seed: int = 7, draws: int = 1000) -> DoubleArray:
    """``interval`` of each column of [G, M], every one from the same draws of users: low and high, [2, M]."""
    rng = np.random.default_rng(seed)
    means = np.empty((draws, values.shape[1]))
    for draw in range(draws):
        # By multiplicity: as good as gathering the lines drawn, and quicker for several columns.
        drawn = np.bincount(rng.integers(0, len(values), len(values)), minlength=len(values))
        means[draw] = drawn @ values
    return np.percentile(means / len(values), (2.5, 97.5), axis=0)


def summary(values: dict[str, DoubleArray], seed: int = 7) -> dict[str, dict[str, float]]:
    """Mean and interval of each measure of the same users, [G] each."""
    if not values:
        return {}
    ends = intervals(np.stack(list(values.values()), axis=1), seed).T.tolist()
    return {
        name: {"mean": float(column.mean()), "low": low, "high": high}
        for (name, column), (low, high) in zip(values.items(), ends, strict=True)
    }


def described(
    rows: IntArray, values: dict[str, DoubleArray], popularity: DoubleArray, k: int = 20, seed: int = 7
) -> dict[str, Any]:
    """Means with intervals of each user's measures ``values``, coverage and novelty of the lists [G, K]."""
    return {
        "users": len(rows),
        **summary(values, seed),
        f"coverage_at_{k}": coverage(rows, len(popularity), k),
        f"novelty_at_{k}": novelty(rows, popularity, k),
    }


def measure(
    lists: RankedLists, truth: Any, popularity: DoubleArray, k: int = 20, seed: int = 7
) -> dict[str, Any]:
    """Every measure of the lists: means with intervals, coverage and novelty.

    ``truth`` CSR [G, N], line g for ``lists.users[g]``; ``popularity`` [N], see ``novelty``.
    """
    return described(lists.rows, per_user(lists.rows, truth, k), popularity, k, seed)


def top_k(scores: npt.NDArray[np.floating[Any]], k: int) -> IntArray:
    """Columns of the ``k`` highest scores of each line, best first: [B, N] -> [B, k]; -inf is never shown."""
    k = min(k, scores.shape[1])
    best = np.argpartition(-scores, k - 1, axis=1)[:, :k]
    value = np.take_along_axis(scores, best, axis=1)
    order = np.lexsort((best, -value), axis=1)  # ties: the lower row first
    best = np.take_along_axis(best, order, axis=1)
    value = np.take_along_axis(value, order, axis=1)
    return np.where(np.isfinite(value), best, EMPTY_PLACE).astype(np.int64)
