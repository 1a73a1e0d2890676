"""Sums over neighbours and the merge of channels, for recall.

Legend: s sources, K neighbours, N items, n found, c channels, r rows of all channels, k merged.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.kernels.compiler import (
    BOOL_1,
    F32_2,
    F64_1,
    I32_2,
    I64,
    I64_1,
    compiled,
)
from engine.kernels.hashing import find, places_for

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]


@compiled(I64_1, F64_1, I32_2, F32_2, BOOL_1, I64_1, I64)
def sum_neighbours(
    sources: IntArray,
    weights: DoubleArray,
    neighbours: npt.NDArray[np.int32],
    strength: FloatArray,
    allowed: npt.NDArray[np.bool_],
    excluded: IntArray,
    count: int,
) -> tuple[IntArray, DoubleArray, IntArray]:
    """The neighbours of some items by the weighted sum of their scores, best first, at most `count`.

    Args:
        sources: [s] rows of `neighbours`; `weights` [s].
        neighbours: [N, K] rows of the table, -1 = none; `strength` [N, K].
        allowed: [N] which rows may be found, or empty for all.
        excluded: rows that are not to be found.

    Returns:
        Rows int64 [n]; their sums float64 [n], at equal sums the lower row first; and the source that gave
        most to each, of equal ones the last, int64 [n].
    """
    width = neighbours.shape[1]
    most = len(sources) * width
    keys = np.full(places_for(most + len(excluded)), -1, np.int64)
    slots = np.empty(len(keys), np.int64)  # of a found row its number, -1 for excluded ones
    for row in excluded:
        place = find(keys, row)
        keys[place] = row
        slots[place] = -1
    rows, reasons = np.empty(most, np.int64), np.empty(most, np.int64)
    sums, largest = np.zeros(most), np.zeros(most)
    n = 0
    for i in range(len(sources)):
        source = sources[i]
        for k in range(width):
            target = np.int64(neighbours[source, k])
            if target < 0 or (len(allowed) and not allowed[target]):
                continue
            place = find(keys, target)
            if keys[place] < 0:
                keys[place], slots[place], rows[n] = target, n, target
                n += 1
                largest[n - 1] = -np.inf
            slot = slots[place]
            if slot < 0:
                continue
            gain = np.float64(strength[source, k]) * weights[i]
            sums[slot] += gain
            if gain >= largest[slot]:
                largest[slot], reasons[slot] = gain, source
    chosen = np.arange(n)
    if n > count:
        threshold = np.partition(sums[:n], n - count)[n - count]
        chosen = np.flatnonzero(sums[:n] >= threshold)
    chosen = chosen[np.argsort(rows[chosen], kind="mergesort")]
    chosen = chosen[np.argsort(-sums[chosen], kind="mergesort")][:count]
    return rows[chosen], sums[chosen], reasons[chosen]


@compiled(I64_1, I64_1, F64_1, I64_1, I64_1, I64)
def merge_channels(
    rows: IntArray,
    starts: IntArray,
    due: DoubleArray,
    numbers: IntArray,
    reason_rows: IntArray,
    top_k: int,
) -> tuple[IntArray, IntArray, IntArray, IntArray, IntArray]:
    """The first `top_k` distinct rows of all channels in the order in which they are due.

    Args:
        rows: [r] the channels' rows one channel after the other, distinct within each.
        starts: [c + 1] where each channel begins in `rows`, and r.
        due: [r], rising within each channel; at equal times the channel named first goes first.
        numbers: [c] the bit of each channel.
        reason_rows: [r], -1 = none.

    Returns:
        Each int64: `chosen` [k], positions in `rows`; `deciding` [k], the number of the channel that gave the
        place; `bits` [k] of all channels that name the row; `reasons` [k], the reason row of the first
        channel that has one; `positions` [c × k], channel after channel: where in `rows` it names the row, or
        -1.
    """
    n_channels = len(starts) - 1
    keys = np.full(places_for(len(rows)), -1, np.int64)
    slots = np.full(len(keys), -1, np.int64)
    at = starts[:n_channels].copy()
    chosen, deciding = np.empty(top_k, np.int64), np.empty(top_k, np.int64)
    k = 0
    while k < top_k:
        next_channel = -1
        for channel in range(n_channels):
            if at[channel] < starts[channel + 1] and (
                next_channel < 0 or due[at[channel]] < due[at[next_channel]]
            ):
                next_channel = channel
        if next_channel < 0:
            break
        row = rows[at[next_channel]]
        place = find(keys, row)
        if keys[place] < 0:
            keys[place], slots[place] = row, k
            chosen[k], deciding[k] = at[next_channel], numbers[next_channel]
            k += 1
        at[next_channel] += 1
    bits, reasons = np.zeros(k, np.int64), np.full(k, -1, np.int64)
    positions = np.full(n_channels * k, -1, np.int64)
    for channel in range(n_channels):
        for i in range(starts[channel], starts[channel + 1]):
            place = find(keys, rows[i])
            if keys[place] < 0:
                continue
            slot = slots[place]
            bits[slot] |= 1 << numbers[channel]
            positions[channel * k + slot] = i
            if reasons[slot] < 0:
                reasons[slot] = reason_rows[i]
    return chosen[:k].copy(), deciding[:k].copy(), bits, reasons, positions
