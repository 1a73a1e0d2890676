"""Neighbours of a shopper's items: by the weighted sum of their scores, and in turns.

Legend: s sources, K neighbours, N items, n found.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine import kernels
from engine.candidates import Floats, Rows

Doubles = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]

_ALL = np.empty(0, np.bool_)


def neighbours_by_sum(
    sources: Rows,
    weights: Doubles,
    neighbours: npt.NDArray[np.int32],
    strength: Floats,
    allowed: Mask | None,
    excluded: Rows,
    count: int,
) -> tuple[Rows, Doubles, Rows]:
    """The neighbours of some items by the weighted sum of their scores, best first, at most `count`.

    Args:
        sources: [s] rows of `neighbours`; `weights` [s].
        neighbours: [N, K], -1 = none; `strength` [N, K].
        allowed: [N] which rows may be found; None for all.
        excluded: rows that are not to be found.

    Returns:
        Rows int64 [n]; their sums [n], at equal sums the lower row first; and the source that gave most to
        each, of equal ones the last, int64 [n].
    """
    way = compiled.sum_neighbours if (compiled := kernels.loaded()) else sum_neighbours
    mask = _ALL if allowed is None else allowed
    found: tuple[Rows, Doubles, Rows] = way(sources, weights, neighbours, strength, mask, excluded, count)
    return found


def sum_neighbours(
    sources: Rows,
    weights: Doubles,
    neighbours: npt.NDArray[np.int32],
    strength: Floats,
    allowed: Mask,
    excluded: Rows,
    count: int,
) -> tuple[Rows, Doubles, Rows]:
    """As `neighbours_by_sum`, by numpy; `allowed` is empty for all."""
    targets = neighbours[sources].ravel().astype(np.int64)  # [s × K]
    gains = (strength[sources] * weights[:, None]).ravel()
    origins = np.repeat(sources, neighbours.shape[1])
    hidden = np.zeros(len(neighbours) + 1, np.bool_) if not len(allowed) else np.append(~allowed, False)
    hidden[excluded] = hidden[-1] = True  # the last one stands for "no neighbour", -1
    known = np.flatnonzero(~hidden[targets])
    targets, gains, origins = targets[known], gains[known], origins[known]
    rows, inverse = np.unique(targets, return_inverse=True)
    total = np.bincount(inverse, gains, len(rows)).astype(np.float64, copy=False)
    # The source that gave most is the reason: sorted by gain, its write is the last one.
    order = np.argsort(gains, kind="stable")
    reasons = np.zeros(len(rows), np.int64)
    reasons[inverse[order]] = origins[order]
    ranked = np.argsort(-total, kind="stable")[:count]
    return rows[ranked], total[ranked], reasons[ranked]


def in_turns(
    sources: Rows, neighbours: npt.NDArray[np.int32], allowed: Mask | None, most: int
) -> tuple[Rows, Rows]:
    """Neighbours of a few items in turns, the best of each first, distinct, at most `most` of each; and the
    item that led to each. Both int64 [n]."""
    if not len(sources):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    targets = neighbours[sources].T.astype(np.int64)  # [K, s]
    reasons = np.broadcast_to(sources, targets.shape)
    keep = (targets >= 0) & ~np.isin(targets, sources)
    if allowed is not None:
        keep &= allowed[targets]
    keep &= np.cumsum(keep, axis=0) <= most
    rows, reasons = targets[keep], reasons[keep]
    _, first = np.unique(rows, return_index=True)
    first.sort()
    return rows[first], reasons[first]
