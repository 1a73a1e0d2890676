"""The candidates that a ranker learns on: what recall would have served, by the engine's own recall."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from engine.features import HistorySummary, UserContext
from engine.recall.channels import Request, recall
from engine.snapshot import Snapshot

IntArray = npt.NDArray[np.int64]


def served_rows(
    snapshot: Snapshot,
    context: UserContext,
    past: HistorySummary,
    vector: npt.NDArray[np.float32],
    count: int,
) -> IntArray:
    """At most ``count`` distinct rows, best first: recall's candidates without items that nobody has bought
    yet, which the ranker lacks. ``vector`` float32 [D]: the shopper's embedding."""
    request = Request(snapshot, context, past, count, lambda: math.inf, vector=vector)
    rows = recall(request, failed=_stop).candidates.rows
    return rows[rows < len(snapshot.table)]


def _stop(channel: str, error: Exception) -> None:
    """A channel that fails in training is a fault, not a degradation."""
    raise error
