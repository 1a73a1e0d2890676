"""Merging channels by quota: each channel's items take their turn as often as its quota says.

The item at position p of a channel with quota q is due at (p + 1/2) / q; items are taken in the order in
which they are due, each once. So a channel with twice the quota places twice as many items in every prefix of
the list, and a channel that runs out leaves its turns to the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt

from engine import kernels
from engine.candidates import CHANNEL_NUMBER, NO_CANDIDATES, Candidates, Floats, ItemIds, Rows
from engine.vocabulary import ALL_CHANNELS

_EMPTY = np.empty(0, np.int64)


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """What a channel named, best first.

    `rows` int64 [n] of the release, distinct; `scores` float32 [n], the channel's own; `reason_rows` int64
    [n], the shopper's item that led to each, or empty; `segments` int64 [n], the place of the feature that is
    shared in `Segments.names`, -1 = none, or empty.
    """

    rows: Rows
    scores: Floats
    reason_rows: Rows = field(default_factory=lambda: _EMPTY)
    segments: Rows = field(default_factory=lambda: _EMPTY)


@dataclass(frozen=True, slots=True)
class Quotas:
    """Share of the turns of each channel. Only their ratios matter; all are above 0."""

    bought_again: float = 0.38
    item_to_item: float = 0.33
    two_tower: float = 0.12
    popular: float = 0.07
    trending: float = 0.04
    segment: float = 0.04
    new: float = 0.02
    content: float = 0.48  # of similar items, at the most: see `similar_quotas`
    leading: int = 0  # the first items of `segment` come before all turns

    def of(self, channel: str) -> float:
        """The share of one channel."""
        return float(getattr(self, channel))


NEW_SHOPPER = Quotas(segment=0.65, two_tower=0.20, popular=0.08, trending=0.05, new=0.02, leading=40)
"""For shoppers without events: what suits the profile leads."""


def similar_quotas(confirmed: float) -> Quotas:
    """Quotas of similar items, by how far purchases confirm what is written alike (`confirmed_by_purchases`).

    Vectors say less of rarely bought items (docs/quality.md), so content has up to four times the share of
    `two_tower`; a quarter of it where titles tell nothing of what goes together, as those of films.
    """
    quotas = Quotas()
    if math.isnan(confirmed):
        return quotas
    return replace(quotas, content=quotas.two_tower * min(max(confirmed - 1.0, 0.25), 4.0))


def merge(
    found: Mapping[str, Found], quotas: Quotas, top_k: int, ids: ItemIds, segment_names: Sequence[str] = ()
) -> Candidates:
    """The best `top_k` candidates of all channels, best first.

    A candidate's score is 1 / (1 + its turn), scaled so that it lies in (0, 1] and falls along the list.

    Args:
        found: by channel name.
        ids: of the rows.
        segment_names: that `Found.segments` count in.
    """
    names = [name for name in ALL_CHANNELS if name in found and len(found[name].rows)]
    if not names:
        return NO_CANDIDATES
    parts = [found[name] for name in names]
    rows = np.concatenate([part.rows for part in parts])
    head = min(quotas.leading, len(found["segment"].rows)) / quotas.segment if "segment" in found else 0.0
    due = np.concatenate(
        [
            (np.arange(len(found[name].rows)) + 0.5) / quotas.of(name) + (head if name != "segment" else 0.0)
            for name in names
        ]
    )
    starts = np.cumsum([0, *(len(found[name].rows) for name in names)])
    reasons = [part.reason_rows if len(part.reason_rows) else np.full(len(part.rows), -1) for part in parts]
    way = compiled.merge_channels if (compiled := kernels.loaded()) else merge_channels
    chosen, deciding, bits, reason_rows, positions = way(
        rows, starts, due, np.array([CHANNEL_NUMBER[name] for name in names]), np.concatenate(reasons), top_k
    )
    segments = np.full(len(chosen), -1, np.int64)
    if "segment" in names and len(found["segment"].segments):
        channel = names.index("segment")
        at = positions.reshape(len(names), len(chosen))[channel]
        segments = np.where(at >= 0, found["segment"].segments[np.maximum(at - starts[channel], 0)], -1)
    scores = (1.0 / (1.0 + due[chosen] * max(quotas.of(name) for name in names))).astype(np.float32)
    return Candidates(rows[chosen], scores, bits, deciding, reason_rows, segments, ids, segment_names)


def merge_channels(
    rows: Rows, starts: Rows, due: npt.NDArray[np.float64], numbers: Rows, reason_rows: Rows, top_k: int
) -> tuple[Rows, Rows, Rows, Rows, Rows]:
    """The first `top_k` distinct rows of c channels in the order in which they are due, by numpy.

    Args:
        rows: [r] the channels' rows one channel after the other, distinct within each.
        starts: [c + 1] where each channel begins in `rows`, and r.
        due: [r]; at equal times the channel named first goes first.
        numbers: [c] the bit of each channel.
        reason_rows: [r], -1 = none.

    Returns:
        Each int64: `chosen` [k], positions in `rows`; `deciding` [k], the number of the channel that gave the
        place; `bits` [k] of all channels that name the row; `reasons` [k] of the first channel that has one;
        `positions` [c × k], channel after channel: where in `rows` it names the row, or -1.
    """
    order = np.argsort(due, kind="stable")
    distinct, first = np.unique(rows[order], return_index=True)
    chosen = order[np.sort(first)[:top_k]]
    slot = np.full(len(distinct), -1, np.int64)  # the place of each distinct row in the list
    slot[np.searchsorted(distinct, rows[chosen])] = np.arange(len(chosen))
    place = slot[np.searchsorted(distinct, rows)]
    channel = np.repeat(np.arange(len(numbers)), np.diff(starts))
    listed = np.flatnonzero(place >= 0)
    bits = np.bincount(place[listed], 1 << numbers[channel[listed]], len(chosen)).astype(np.int64)
    reasons = np.full(len(chosen), -1, np.int64)
    known = listed[reason_rows[listed] >= 0][::-1]  # the first channel is written last
    reasons[place[known]] = reason_rows[known]
    positions = np.full((len(numbers), len(chosen)), -1, np.int64)
    positions[channel[listed], place[listed]] = listed
    return chosen, numbers[channel[chosen]], bits, reasons, positions.ravel()
