"""Rank: from candidate rows to probabilities, by the feeds that the ranker's network reads."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from engine.candidates import Floats, Rows
from engine.features import Feeds, HistorySummary, UserContext
from engine.snapshot import Snapshot

UNKNOWN = -1.0
"""The score of an item that the release lacks."""

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
