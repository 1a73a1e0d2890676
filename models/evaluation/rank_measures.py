"""Measures of a ranker's scores on labelled rows, with bootstrap intervals over users.

Legend: R rows, G users with both labels, B bins.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.measures import auc

BoolArray = npt.NDArray[np.bool_]
DoubleArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]

_FINEST = 1e-7  # probabilities are kept this far from 0 and 1


def _ranks(scores: DoubleArray, groups: IntArray) -> DoubleArray:
    """Rank of each score within its group, from 1; ties share the mean of their ranks. [R]"""
    order = np.lexsort((scores, groups))
    group, score = groups[order], scores[order]
    first = np.ones(len(order), bool)
    first[1:] = (group[1:] != group[:-1]) | (score[1:] != score[:-1])
    run = np.cumsum(first) - 1
    begins = np.flatnonzero(first)
    ends = np.append(begins[1:], len(order))
    head = np.ones(len(order), bool)
    head[1:] = group[1:] != group[:-1]
    offset = np.maximum.accumulate(np.where(head, np.arange(len(order)), 0))
    ranks = np.empty(len(order))
    ranks[order] = ((begins + ends - 1) / 2.0)[run] + 1.0 - offset
    return ranks


def user_auc(
    users: IntArray, labels: BoolArray, scores: npt.NDArray[np.floating[Any]]
) -> tuple[DoubleArray, IntArray]:
    """AUC within each user who has both labels, [G], and that user's rows, [G]."""
    if not len(labels):
        return np.zeros(0), np.zeros(0, np.int64)
    _, user = np.unique(users, return_inverse=True)
    ranks = _ranks(np.asarray(scores, np.float64), user)
    rows = np.bincount(user)
    positives = np.bincount(user, labels, len(rows))
    total = np.bincount(user, ranks * labels, len(rows))
    both = (positives > 0) & (positives < rows)
    positive, negative = positives[both], (rows - positives)[both]
    values = (total[both] - positive * (positive + 1) / 2) / (positive * negative)
    return values, rows[both]


def gauc(users: IntArray, labels: BoolArray, scores: npt.NDArray[np.floating[Any]]) -> float:
    """AUC within users, weighted by their rows (Zhu et al., KDD 2017); NaN if nobody has both labels."""
    values, rows = user_auc(users, labels, scores)
    return float(np.average(values, weights=rows)) if len(values) else float("nan")


def log_loss(labels: BoolArray, probabilities: npt.NDArray[np.floating[Any]]) -> float:
    """Mean cross entropy, nats."""
    p = np.clip(np.asarray(probabilities, np.float64), _FINEST, 1.0 - _FINEST)
    return float(-np.where(labels, np.log(p), np.log1p(-p)).mean())


def calibration(
    labels: BoolArray, probabilities: npt.NDArray[np.floating[Any]], bins: int = 10
) -> list[dict[str, float]]:
    """Mean probability (expected) and share of positives (observed) of ``bins`` equally filled bins."""
    order = np.argsort(probabilities, kind="stable")
    parts = [part for part in np.array_split(order, bins) if len(part)]
    return [
        {
            "rows": float(len(part)),
            "expected": float(np.mean(probabilities[part], dtype=np.float64)),
            "observed": float(np.mean(labels[part])),
        }
        for part in parts
    ]


def expected_calibration_error(table: list[dict[str, float]]) -> float:
    """Mean distance of expected and observed over the bins, weighted by their rows."""
    rows = sum(line["rows"] for line in table)
    return sum(line["rows"] * abs(line["expected"] - line["observed"]) for line in table) / rows


class _Bootstrap:
    """AUC of rows weighted by how often their user was drawn, without sorting anew for each draw."""

    def __init__(self, users: IntArray, labels: BoolArray, scores: npt.NDArray[np.floating[Any]]) -> None:
        order = np.argsort(scores, kind="stable")
        names, user = np.unique(users, return_inverse=True)
        self.n_users = len(names)
        self._user, self._label = user[order], labels[order]
        sorted_scores = np.asarray(scores)[order]
        self._tied = np.flatnonzero(np.append(True, sorted_scores[1:] != sorted_scores[:-1]))

    def auc(self, drawn: DoubleArray) -> float:
        """``drawn`` [users]: how often each was drawn."""
        weight = drawn[self._user]
        positive = np.add.reduceat(weight * self._label, self._tied)
        negative = np.add.reduceat(weight * ~self._label, self._tied)
        below = np.cumsum(negative) - negative
        pairs = positive.sum() * negative.sum()
        return float((positive * (below + negative / 2)).sum() / pairs) if pairs else float("nan")


def intervals(
    users: IntArray,
    labels: BoolArray,
    scores: npt.NDArray[np.floating[Any]],
    seed: int = 7,
    draws: int = 1000,
) -> dict[str, tuple[float, float]]:
    """95 % intervals of ``auc`` and ``gauc`` by bootstrap over users: percentiles of ``draws`` resamples."""
    rng = np.random.default_rng(seed)
    pooled = _Bootstrap(users, labels, scores)
    values, rows = user_auc(users, labels, scores)
    found = np.full((draws, 2), np.nan)
    for draw in range(draws):
        drawn = np.bincount(rng.integers(0, pooled.n_users, pooled.n_users), minlength=pooled.n_users)
        found[draw, 0] = pooled.auc(drawn.astype(np.float64))
        if len(values):
            mine = rng.integers(0, len(values), len(values))
            found[draw, 1] = np.average(values[mine], weights=rows[mine])
    if not len(values):
        found[:, 1] = -1.0
    low, high = np.nanpercentile(found, (2.5, 97.5), axis=0)
    return {"auc": (float(low[0]), float(high[0])), "gauc": (float(low[1]), float(high[1]))}


def rank_measures(
    users: IntArray,
    labels: BoolArray,
    probabilities: npt.NDArray[np.floating[Any]],
    seed: int = 7,
    draws: int = 1000,
) -> dict[str, Any]:
    """Every measure of one set of scores. ``labels`` must hold both labels, else ValueError."""
    if not len(labels) or labels.all() or not labels.any():
        raise ValueError("the scored rows need both labels")
    bounds = intervals(users, labels, probabilities, seed, draws)
    table = calibration(labels, probabilities)
    pooled = auc(np.asarray(probabilities, np.float64), labels.astype(np.float32))
    return {
        "rows": len(labels),
        "users": len(np.unique(users)),
        "positive_share": float(labels.mean()),
        "auc": {"value": pooled, "low": bounds["auc"][0], "high": bounds["auc"][1]},
        "gauc": {
            "value": gauc(users, labels, probabilities),
            "low": bounds["gauc"][0],
            "high": bounds["gauc"][1],
        },
        "log_loss": log_loss(labels, probabilities),
        "ece": expected_calibration_error(table),
        "calibration": table,
    }
