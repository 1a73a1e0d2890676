"""Rank: from candidate rows to probabilities, by the feeds that its network reads, and to an order."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.candidates import Floats, Rows
from engine.features import Feeds, HistorySummary, UserContext
from engine.snapshot import Snapshot

UNKNOWN = -1.0
"""The score of an item that the release lacks."""

SHIFT = 8  # places that the ranker may move an item of an impersonal rail, up or down, at most
_FUSION = 20.0  # a page: the first places of a list do not outweigh the rest of it

Predict = Callable[[Feeds, float], Floats]
"""The network: feeds with B rows and seconds left -> probabilities float32 [B]. May raise Unavailable."""


def score(
    snapshot: Snapshot,
    context: UserContext,
    rows: Rows,
    predict: Predict,
    timeout_s: float,
    past: HistorySummary | None = None,
) -> Floats:
    """The probability that the shopper takes each item, float32 [C]; `UNKNOWN` for rows beyond the release.

    Args:
        rows: int64 [C]; those below 0 or from `len(snapshot.table)` on are unknown.
        past: the summary of the context's history, if it was made before.
    """
    known = (rows >= 0) & (rows < len(snapshot.table))
    if known.all():
        return predict(snapshot.encoder.rank(context, rows, past), timeout_s) if len(rows) else _nothing(0)
    scores = _nothing(len(rows))
    if known.any():
        scores[known] = predict(snapshot.encoder.rank(context, rows[known], past), timeout_s)
    return scores


def _nothing(count: int) -> Floats:
    return np.full(count, UNKNOWN, np.float32)


def blend(scores: npt.NDArray[np.floating[Any]], weight: float) -> Rows:
    """Positions of the candidates, best first: between their order and that of the ranker's `scores`.
    `weight` 1: the first order, 0: the second.

    Places are compared, 1 / (20 + place) each: scores have scales of their own (Cormack et al., SIGIR 2009).
    """
    given = np.arange(len(scores))
    by_score = np.empty(len(scores), np.int64)
    by_score[np.argsort(-scores, kind="stable")] = given
    return np.argsort(-(weight / (_FUSION + given) + (1 - weight) / (_FUSION + by_score)), kind="stable")


def place_new(order: Rows, unknown: npt.NDArray[np.bool_], first: int, every: int) -> Rows:
    """The order with the candidates `unknown` to the ranker, which has them last, at their own places: each
    `every` places from `first`, counted from 0."""
    if not unknown.any():
        return order
    placed: list[int] = order[~unknown[order]].tolist()
    for count, position in enumerate(order[unknown[order]].tolist()):
        placed.insert(first + count * every, position)
    return np.array(placed, np.int64)


def impersonal_order(scores: Floats) -> Rows:
    """Positions of the candidates of an impersonal rail, whose order means something: each moves by
    `SHIFT` places at most."""
    by_score = np.empty(len(scores))
    by_score[np.argsort(-scores, kind="stable")] = np.arange(len(scores))
    shifted = np.arange(len(scores)) + SHIFT * by_score / max(len(scores) - 1, 1)
    return np.argsort(shifted, kind="stable")
