"""Lists of a few recall channels only: rails such as "Buy again", "Trending" and "New". ADR 0100.

A rail shows what its channels name and nothing else, so it may be short or empty. Whoever asks for "Trending"
wants what trends: such impersonal lists keep their order, but for a small personal shift.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from engine.types import RecallResult

IMPERSONAL = frozenset({"popular", "trending", "new"})
"""Channels whose list is the same for everybody; their order means something."""

SHIFT = 8
"""Places that the ranker may move an item of an impersonal rail, up or down, at most."""


def is_impersonal(channels: Sequence[str]) -> bool:
    """Whether a rail is of such channels only: it then needs no shopper, and keeps its order."""
    return bool(channels) and IMPERSONAL.issuperset(channels)


def ranked_places(scores: npt.NDArray[np.float32], channels: Sequence[str]) -> list[int]:
    """Places of the candidates in the order in which the page is filled.

    Args:
        scores: of the ranker, float32 [n], candidates in the order of recall.
        channels: that the list is restricted to; empty for an ordinary list.
    """
    order: list[int] = np.argsort(-scores, kind="stable").tolist()
    if is_impersonal(channels):
        by_score = np.empty(len(scores))
        by_score[order] = np.arange(len(scores))
        shifted = np.arange(len(scores)) + SHIFT * by_score / max(len(scores) - 1, 1)
        order = np.argsort(shifted, kind="stable").tolist()
    return order


def of_channels(found: RecallResult, channels: Sequence[str]) -> RecallResult:
    """What these channels named among `found`, as if they alone had been asked; all of it for none."""
    if not channels:
        return found
    kept = []
    for candidate in found.candidates:
        named = tuple(name for name in candidate.channels if name in channels)
        if named:
            kept.append(replace(candidate, channels=named))
    return replace(found, candidates=tuple(kept))
