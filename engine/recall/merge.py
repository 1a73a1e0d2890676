"""Merging channels by quota: each channel's items take their turn as often as its quota says.

The item at position p of a channel with quota q is due at (p + 1/2) / q; items are taken in the order in
which they are due, each once. So a channel with twice the quota places twice as many items in every prefix of
the list, and a channel that runs out leaves its turns to the others.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from types import MappingProxyType
from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.types import Candidate
from engine.vocabulary import CHANNELS, SIMILAR_CHANNELS

_NAMES = tuple(dict.fromkeys((*CHANNELS, *SIMILAR_CHANNELS)))

Rows = npt.NDArray[np.int64]
Floats = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Found:
    """What a channel named, best first.

    `rows` int64 [n] of the release, distinct; `scores` float32 [n], the channel's own; `reason_rows` int64
    [n], the shopper's item that led to each, or empty; `segments` [n], the feature that is shared, or empty.
    """

    rows: Rows
    scores: Floats
    reason_rows: Rows = field(default_factory=lambda: np.empty(0, np.int64))
    segments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Quotas:
    """Share of the turns of each channel. Only their ratios matter; all are above 0."""

    # As `models.config.RecallConfig` draws the ranker's candidates: it sees here what it learnt from.
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


# As `Recaller.for_new` draws candidates of shoppers without events: what suits the profile leads.
def similar_quotas(confirmed: float) -> Quotas:
    """Quotas of similar items, by how far purchases confirm what is written alike (`confirmed_by_purchases`).

    Vectors say less of rarely bought items (docs/quality.md), so content has up to four times the share of
    `two_tower`; a quarter of it where titles tell nothing of what goes together, as those of films.
    """
    quotas = Quotas()
    if math.isnan(confirmed):
        return quotas
    return replace(quotas, content=quotas.two_tower * min(max(confirmed - 1.0, 0.25), 4.0))


NEW_SHOPPER = Quotas(segment=0.65, two_tower=0.20, popular=0.08, trending=0.05, new=0.02, leading=40)


class Ids(Protocol):
    """The id of each row."""

    def __getitem__(self, row: int, /) -> str: ...


class Joined:
    """The ids of a release's rows, and of rows after its last one."""

    def __init__(self, ids: Sequence[str], more: Sequence[str]) -> None:
        self._ids, self._more, self._count = ids, more, len(ids)

    def __getitem__(self, row: int, /) -> str:
        return self._ids[row] if row < self._count else self._more[row - self._count]


NOTHING: Mapping[str, Found] = MappingProxyType({})


def merge(found: Mapping[str, Found], quotas: Quotas, top_k: int, item_ids: Ids) -> tuple[Candidate, ...]:
    """The best `top_k` candidates of all channels, best first.

    A candidate's score is 1 / (1 + its turn), scaled so that it lies in (0, 1] and falls along the list.

    Args:
        found: by channel name.
        item_ids: id of each row.
    """
    names = [name for name in _NAMES if name in found and len(found[name].rows)]
    if not names:
        return ()
    rows = np.concatenate([found[name].rows for name in names])
    head = min(quotas.leading, len(found["segment"].rows)) / quotas.segment if "segment" in found else 0.0
    due = np.concatenate(
        [
            (np.arange(len(found[name].rows)) + 0.5) / quotas.of(name) + (head if name != "segment" else 0.0)
            for name in names
        ]
    )
    order = np.argsort(due, kind="stable")  # at equal times the channel named first goes first
    distinct, first = np.unique(rows[order], return_index=True)
    taken = np.sort(first)[:top_k]
    chosen = order[taken]  # [k] positions in the concatenation
    chosen_rows = rows[chosen]

    # bits [k]: which channels named each chosen row; deciding [k]: the one that gave it its place
    slot = np.full(len(distinct), -1, np.int64)
    slot[np.searchsorted(distinct, chosen_rows)] = np.arange(len(chosen))
    bits = np.zeros(len(chosen), np.int64)
    deciding = np.zeros(len(chosen), np.int64)
    reason_rows = np.full(len(chosen), -1, np.int64)
    segments: dict[int, str] = {}
    start = 0
    for name in names:
        part = found[name]
        place = slot[np.searchsorted(distinct, part.rows)]
        mine = np.flatnonzero(place >= 0)
        at = place[mine]
        number = _NAMES.index(name)
        bits[at] |= 1 << number
        deciding[(chosen >= start) & (chosen < start + len(part.rows))] = number
        if len(part.reason_rows):
            # item-to-item comes first: that an item is bought again is known without a source
            fresh = reason_rows[at] < 0
            reason_rows[at[fresh]] = part.reason_rows[mine[fresh]]
        if part.segments:
            segments.update(zip(at.tolist(), (part.segments[i] for i in mine.tolist()), strict=True))
        start += len(part.rows)
    largest = max(quotas.of(name) for name in names)
    scores = 1.0 / (1.0 + due[chosen] * largest)
    columns = (chosen_rows, scores, deciding, bits, reason_rows)
    rows_out = zip(*(column.tolist() for column in columns), strict=True)
    return tuple(
        Candidate(
            item_ids[row],
            score,
            _channel_names(first_channel, channel_bits),
            item_ids[reason] if reason >= 0 else "",
            segments.get(position, "") if segments else "",
        )
        for position, (row, score, first_channel, channel_bits, reason) in enumerate(rows_out)
    )


@lru_cache(maxsize=1024)
def _channel_names(deciding: int, bits: int) -> tuple[str, ...]:
    """The deciding channel, then the others in the order of preference."""
    others = (name for number, name in enumerate(_NAMES) if bits >> number & 1 and number != deciding)
    return (_NAMES[deciding], *others)
