"""How good a ranked list is: full ranking, never sampled negatives."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt
from scipy.stats import rankdata


def recall_ndcg(
    ranked: npt.NDArray[np.integer], truth: npt.NDArray[np.integer], k: int = 20
) -> tuple[float, float]:
    """Recall@k, over min(|truth|, k), and NDCG@k with binary gain of one list; truth is not empty.

    >>> recall_ndcg(np.array([1, 2, 3]), np.array([1, 9]), 2)
    (0.5, 0.6131471927654584)
    """
    hits = np.isin(ranked[:k], truth)
    discounts = 1.0 / np.log2(np.arange(2, k + 2))
    ideal = float(discounts[: min(len(truth), k)].sum())
    return float(hits.sum()) / min(len(truth), k), float((hits * discounts[: len(hits)]).sum()) / ideal


def recall_of_truth(ranked: npt.NDArray[np.integer], truth: npt.NDArray[np.integer], k: int = 20) -> float:
    """The share of the truth in the best k of a list, over |truth| where ``recall_ndcg`` has min(|truth|, k).

    >>> recall_of_truth(np.array([1, 2]), np.array([1, 7, 8, 9]), 2)
    0.25
    """
    return float(np.isin(ranked[:k], truth).sum()) / len(truth)


def mean_metrics(
    lists: Iterable[tuple[npt.NDArray[np.integer], npt.NDArray[np.integer]]], k: int = 20
) -> dict[str, float]:
    """Mean of both recalls and of NDCG over (ranked, truth) pairs with a truth, with the number of them."""
    values = [
        (*recall_ndcg(ranked, truth, k), recall_of_truth(ranked, truth, k))
        for ranked, truth in lists
        if len(truth)
    ]
    recall, ndcg, of_truth = np.mean(values, axis=0) if values else (0.0, 0.0, 0.0)
    return {
        f"recall_at_{k}": round(float(recall), 5),
        f"recall_of_truth_at_{k}": round(float(of_truth), 5),
        f"ndcg_at_{k}": round(float(ndcg), 5),
        "users": len(values),
    }


def auc(scores: npt.NDArray[np.floating], labels: npt.NDArray[np.floating]) -> float:
    """Area under the ROC curve; ties count half; 0.5 if there is only one class."""
    positive = labels > 0.5
    n_positive, n_negative = int(positive.sum()), int((~positive).sum())
    if not n_positive or not n_negative:
        return 0.5
    ranks = rankdata(scores)
    above = float(ranks[positive].sum()) - n_positive * (n_positive + 1) / 2
    return above / (n_positive * n_negative)


def platt(
    logits: npt.NDArray[np.floating], labels: npt.NDArray[np.floating], steps: int = 20
) -> tuple[float, float]:
    """Slope and intercept with which sigmoid(slope · logit + intercept) fits the labels (Platt, 1999)."""
    middle, spread = float(logits.mean(dtype=np.float64)), float(logits.std(dtype=np.float64))
    if not spread > 0:
        return 1.0, 0.0
    # Newton's steps begin at 0: far from there, as with stars, they would run away.
    scaled = (logits.astype(np.float64) - middle) / spread
    taken, others = int((labels > 0.5).sum()), int((labels <= 0.5).sum())
    # Platt's own targets: never quite 0 or 1, so that labels which scores tell apart for sure have an end.
    targets = np.where(labels > 0.5, (taken + 1) / (taken + 2), 1 / (others + 2))
    slope, intercept = _newton(scaled, targets, steps)
    # A slope that would turn the order around says only that there is nothing to learn from.
    return (slope / spread, intercept - slope * middle / spread) if slope > 0 else (1.0, 0.0)


def _newton(
    logits: npt.NDArray[np.floating], targets: npt.NDArray[np.floating], steps: int
) -> tuple[float, float]:
    """Slope and intercept of a logistic regression on one number of mean 0 and spread 1.

    Begins at the base rate; a step that would not lower the loss is halved until it does.
    """
    design = np.stack([logits, np.ones(len(logits))], axis=1)  # [R, 2]

    def loss(weights: npt.NDArray[np.float64]) -> float:
        odds = design @ weights
        return float((np.logaddexp(0.0, odds) - targets * odds).mean())

    base = float(targets.mean())
    weights = np.array([0.0, np.log(base / (1.0 - base))])
    least = loss(weights)
    for _ in range(steps):
        probability = 1.0 / (1.0 + np.exp(-np.clip(design @ weights, -30, 30)))
        gradient = design.T @ (probability - targets)
        curvature = (design * (probability * (1 - probability))[:, None]).T @ design + 1e-3 * np.eye(2)
        step = np.linalg.solve(curvature, gradient)
        while loss(weights - step) > least and np.abs(step).max() > 1e-8:
            step /= 2.0
        if np.abs(step).max() <= 1e-8:
            break
        weights = weights - step
        least = loss(weights)
    return float(weights[0]), float(weights[1])
