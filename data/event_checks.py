"""What only all events together show: times far from all others, and events that are there twice."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from data.canonical import EVENTS

DAY_MS = 86_400_000
FEW = 0.01
"""The share of events up to which a group far away from the others is taken for mistakes."""
_GAP_DAYS = 365


class DayCounts:
    """How many events each day has; memory grows with the number of days only."""

    def __init__(self) -> None:
        self._counts: Counter[int] = Counter()

    def add(self, at: Any) -> None:
        """Count the days of the times ([N], timestamp[ms])."""
        days, counts = np.unique(at.cast(pa.int64()).to_numpy() // DAY_MS, return_counts=True)
        self._counts.update(dict(zip(days.tolist(), counts.tolist(), strict=True)))

    def bounds(self) -> tuple[int, int] | None:
        """The first and the last millisecond between which events are kept; None: all are.

        What lies beyond a gap without events is left out if it is at most `FEW` of all, and the gap is longer
        than a year and longer than the central 98 % of the events span.
        """
        if not self._counts:
            return None
        days = np.array(sorted(self._counts))
        counts = np.array([self._counts[int(day)] for day in days])
        until = np.cumsum(counts)
        total = int(until[-1])
        low, high = np.searchsorted(until, [FEW * total, (1 - FEW) * total])
        gaps = np.diff(days)
        wide = gaps > max(_GAP_DAYS, int(days[min(high, len(days) - 1)] - days[low]))
        below = np.flatnonzero(wide & (until[:-1] <= FEW * total))
        above = np.flatnonzero(wide & (total - until[:-1] <= FEW * total))
        if not len(below) and not len(above):
            return None
        first = days[below[-1] + 1] if len(below) else days[0]
        last = days[above[0]] if len(above) else days[-1]
        return int(first) * DAY_MS, int(last + 1) * DAY_MS - 1


class Duplicates:
    """Finds events that are equal to an earlier one in every column, in a stream that is sorted by time."""

    def __init__(self) -> None:
        self.count = 0
        self._at: int | None = None
        self._seen: npt.NDArray[np.uint64] = np.array([], dtype=np.uint64)  # those of the last time only

    def add(self, table: Any) -> npt.NDArray[np.bool_]:
        """Take the next events; which of them, [N], are the first of their kind."""
        if not table.num_rows:
            return np.zeros(0, np.bool_)
        at = table.column("at").combine_chunks().cast(pa.int64()).to_numpy()
        hashes = _hashes(table, at)
        fresh = np.zeros(len(hashes), np.bool_)
        fresh[np.unique(hashes, return_index=True)[1]] = True
        if at[0] == self._at:
            fresh &= ~np.isin(hashes, self._seen)
        else:
            self._seen = self._seen[:0]
        self.count += int((~fresh).sum())
        self._at = int(at[-1])
        same = hashes[np.searchsorted(at, self._at) :]
        self._seen = np.unique(np.concatenate([self._seen, same]) if at[0] == self._at else same)
        return fresh


def _hashes(table: Any, at: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """A 64-bit hash of each event; two different ones share theirs about never."""
    total = pd.util.hash_array(at)
    for name in EVENTS.names:
        if name == "at":
            continue
        column = table.column(name).combine_chunks()
        if pa.types.is_string(column.type):
            encoded = pc.dictionary_encode(column)
            words = encoded.dictionary.to_numpy(zero_copy_only=False).astype(object)
            hashes = pd.util.hash_array(words, categorize=False)[encoded.indices.to_numpy()]
        else:
            hashes = pd.util.hash_array(column.to_numpy())
        total = total * np.uint64(0x9E3779B97F4A7C15) + hashes  # wraps around
    return total
