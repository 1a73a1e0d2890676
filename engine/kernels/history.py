"""A history's summary and the user-item features in one pass each.

The same numbers as `engine.features.cross` and `visits`, which define them, within 1e-6; in the same order of
columns. Legend: n events, m distinct items, C candidates, H half-lives, G groups, N items, X columns.
"""

from __future__ import annotations

from math import log, log1p, sqrt

import numpy as np
import numpy.typing as npt

from engine.kernels.compiler import (
    BOOL_1,
    F32_1,
    F32_2,
    F64,
    F64_1,
    F64_2,
    I8_1,
    I32_2,
    I64,
    I64_1,
    I64_2,
    compiled,
    helper,
)
from engine.kernels.hashing import find, places_for

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

# Rows of `facts`, one value for each distinct item; the decayed counts of the H half-lives come last.
LONG, SHORT, COUNT, LAST, FIRST, RECENCY, LOOKS, WANTS, DISLIKES = range(9)
VISITS, VISITS_180D, VISITS_90D, NEWEST_VISIT, OLDEST_VISIT, DECAYED = range(9, 15)
# Places in `totals`, one value for the whole history.
TAKEN, ALL_VISITS, QUARTER, VISITS_28D, ITEMS_28D, EXPLORATION, BASKET, MEAN_PRICE = range(8)

LOOK, WANT, DISLIKE = 1, 2, 3  # what an event of a type says besides taking and interest

_LOG_YEAR = log1p(365.0)
_LOG_LONGEST = log1p(400.0)  # visits


@helper
def _distinct(rows: IntArray) -> tuple[IntArray, IntArray]:
    """The distinct rows, rising, and the position of each row among them."""
    items, inverse = np.empty(len(rows), np.int64), np.empty(len(rows), np.int64)
    m = 0
    for i in np.argsort(rows, kind="mergesort"):
        if m == 0 or items[m - 1] != rows[i]:
            items[m] = rows[i]
            m += 1
        inverse[i] = m - 1
    return items[:m].copy(), inverse


@helper
def _add_interest(
    facts: DoubleArray,
    totals: DoubleArray,
    inverse: IntArray,
    types: npt.NDArray[np.int8],
    ages: DoubleArray,
    positive: npt.NDArray[np.bool_],
    interest: DoubleArray,
    meaning: npt.NDArray[np.int8],
    half_lives: DoubleArray,
) -> None:
    """Decayed sums over the events of each item."""
    longest = len(half_lives) - 1
    for i in range(len(inverse)):
        j, kind = inverse[i], types[i]
        taken = 1.0 if positive[kind] else 0.0
        liked = max(interest[kind], taken)
        for half in range(len(half_lives)):
            decay = np.exp2(-ages[i] / half_lives[half])
            facts[DECAYED + half, j] += decay * taken
            if half == 0:
                facts[SHORT, j] += decay * liked
            if half == longest:
                facts[LONG, j] += decay * liked
                totals[TAKEN] += decay * taken
        if meaning[kind] == DISLIKE:
            facts[DISLIKES, j] += 1.0
        elif meaning[kind]:
            facts[LOOKS if meaning[kind] == LOOK else WANTS, j] += np.exp2(-ages[i] / 2.0)


@helper
def _add_takings(
    facts: DoubleArray,
    totals: DoubleArray,
    inverse: IntArray,
    ages: DoubleArray,
    taken: npt.NDArray[np.bool_],
) -> None:
    """When each item was taken, by days and by visits; a visit is all that was taken at one moment."""
    m = facts.shape[1]
    last_visit = np.full(m, -1, np.int64)
    visit, visit_age, takings = -1, -1.0, 0
    for i in np.flatnonzero(taken):
        j, age = inverse[i], ages[i]
        takings += 1
        if facts[COUNT, j] == 0.0:
            facts[LAST, j] = age
            facts[RECENCY, j] = 1.0 - log1p(min(age, 365.0)) / _LOG_YEAR
        facts[COUNT, j] += 1.0
        facts[FIRST, j] = age
        if visit < 0 or age != visit_age:
            visit, visit_age = visit + 1, age
            totals[QUARTER] += np.exp2(-age / 90.0)
            totals[VISITS_28D] += age < 28.0
        if last_visit[j] != visit:
            if last_visit[j] < 0:
                facts[NEWEST_VISIT, j] = visit
            last_visit[j] = visit
            facts[VISITS, j] += 1.0
            facts[VISITS_180D, j] += np.exp2(-age / 180.0)
            facts[VISITS_90D, j] += np.exp2(-age / 90.0)
            facts[OLDEST_VISIT, j] = visit
    totals[ALL_VISITS] = visit + 1
    lately = (facts[COUNT] > 0.0) & (facts[LAST] < 28.0)
    totals[ITEMS_28D] = lately.sum()
    if totals[ITEMS_28D] > 0.0:
        totals[EXPLORATION] = (lately & (facts[FIRST] < 28.0)).sum() / totals[ITEMS_28D]
    if takings:
        totals[BASKET] = log1p(takings / totals[ALL_VISITS]) / 5.0


@helper
def _mean_price(prices: FloatArray, rows: IntArray) -> float:
    """The mean of the prices that are known, 0 where none is."""
    known, total, finite = 0, 0.0, False
    for row in rows:
        price = np.float64(prices[row])
        if not np.isnan(price):
            known, total, finite = known + 1, total + price, finite or np.isfinite(price)
    return total / known if finite else 0.0


@compiled(I64_1, I8_1, F64_1, F32_1, BOOL_1, F64_1, I8_1, F64_1)
def summarise(
    rows: IntArray,
    types: npt.NDArray[np.int8],
    ages: DoubleArray,
    prices: FloatArray,
    positive: npt.NDArray[np.bool_],
    interest: DoubleArray,
    meaning: npt.NDArray[np.int8],
    half_lives: DoubleArray,
) -> tuple[IntArray, DoubleArray, DoubleArray]:
    """Distinct items, what is known of each, and what is known of all together.

    Args:
        rows: [n] of the table, all >= 0, newest event first; `types` [n]; `ages` [n], days, never falling.
        prices: [N] of the table.
        positive: by event type, whether it is a taking; `interest` by type; `meaning` by type: LOOK, WANT,
            DISLIKE or 0.
        half_lives: [H], days; the first is the short memory, the last the long one.

    Returns:
        Items int64 [m], rising; facts float64 [DECAYED + H, m]; totals float64.
    """
    items, inverse = _distinct(rows)
    facts = np.zeros((DECAYED + len(half_lives), len(items)))
    totals = np.zeros(8)
    _add_interest(facts, totals, inverse, types, ages, positive, interest, meaning, half_lives)
    _add_takings(facts, totals, inverse, ages, positive[types])
    totals[MEAN_PRICE] = _mean_price(prices, rows)
    return items, facts, totals


@helper
def _own_columns(
    out: FloatArray, items: IntArray, facts: DoubleArray, totals: DoubleArray, rows: IntArray, n_half: int
) -> None:
    """What the user did with the candidates themselves, by days and by visits."""
    visits, quarter = totals[ALL_VISITS], totals[QUARTER]
    for c in range(len(rows)):
        j = np.searchsorted(items, rows[c])
        if j == len(items) or items[j] != rows[c]:
            continue
        for half in range(n_half):
            out[c, half] = log1p(facts[DECAYED + half, j]) / 4.0
        count, last = facts[COUNT, j], facts[LAST, j]
        out[c, n_half] = log1p(count) / 5.0
        out[c, n_half + 1] = facts[RECENCY, j]
        interval = (facts[FIRST, j] - last) / (count - 1.0) if count >= 2.0 else 0.0
        if interval > 0.5:
            out[c, n_half + 2] = last / (last + interval)  # 0.5 = exactly due
            out[c, n_half + 3] = 1.0
        out[c, n_half + 4] = sqrt(facts[DECAYED + n_half - 1, j] / max(totals[TAKEN], 1.0))
        out[c, n_half + 5] = log1p(facts[LOOKS, j]) / 3.0
        out[c, n_half + 6] = log1p(facts[WANTS, j]) / 2.0
        out[c, n_half + 7] = min(facts[DISLIKES, j], 1.0)
        times = facts[VISITS, j]
        if times == 0.0:
            continue
        since, oldest = facts[NEWEST_VISIT, j], facts[OLDEST_VISIT, j]
        at = n_half + 8
        out[c, at] = log1p(facts[VISITS_180D, j]) / 4.0
        out[c, at + 1] = 1.0 - log1p(since) / _LOG_LONGEST
        out[c, at + 2] = sqrt(times / visits)
        out[c, at + 3] = sqrt(facts[VISITS_90D, j] / quarter)
        out[c, at + 4] = sqrt(times / (oldest + 3.0))
        if times > 1.0:
            out[c, at + 5] = since / (since + max((oldest - since) / (times - 1.0), 0.5))


@helper
def _group_columns(
    out: FloatArray,
    at: int,
    items: IntArray,
    facts: DoubleArray,
    rows: IntArray,
    features: IntArray,
    column: int,
) -> None:
    """Share, amount and recency of the user's interest in the candidates' value of one item column."""
    m = len(items)
    keys = np.full(places_for(m), -1, np.int64)
    sums = np.zeros((len(keys), 3))  # long, short, recency of the newest taking
    long_total, short_total = 0.0, 0.0
    for j in range(m):
        code = features[items[j], column]
        place = find(keys, code)
        keys[place] = code
        sums[place, 0] += facts[LONG, j]
        sums[place, 1] += facts[SHORT, j]
        sums[place, 2] = max(sums[place, 2], facts[RECENCY, j])
        long_total += facts[LONG, j]
        short_total += facts[SHORT, j]
    long_total, short_total = max(long_total, 1e-9), max(short_total, 1.0)
    for c in range(len(rows)):
        code = features[rows[c], column]
        place = find(keys, code)
        if code > 0 and keys[place] == code:
            out[c, at] = sqrt(sums[place, 0] / long_total)
            out[c, at + 1] = sqrt(sums[place, 1] / short_total)
            out[c, at + 2] = log1p(sums[place, 0]) / 6.0
            out[c, at + 3] = sums[place, 2]


@helper
def _neighbour_columns(
    out: FloatArray,
    at: int,
    items: IntArray,
    facts: DoubleArray,
    rows: IntArray,
    neighbours: npt.NDArray[np.int32],
    scores: FloatArray,
    neighbour_items: int,
) -> None:
    """How strongly the candidates are neighbours of the user's items: long memory, short memory, ever."""
    m, n_rows = len(items), len(rows)
    weight = facts[LONG] + facts[SHORT]
    strong = weight > 0.0
    if m > neighbour_items:
        order = np.argsort(-weight, kind="mergesort")
        strong[order[neighbour_items:]] = False
    keys = np.full(places_for(n_rows), -1, np.int64)
    sums = np.zeros((len(keys), 3))
    places = np.empty(n_rows, np.int64)
    for c in range(n_rows):
        places[c] = find(keys, rows[c])
        keys[places[c]] = rows[c]
    for j in range(m):
        if items[j] >= len(neighbours):
            break
        long = log1p(facts[LONG, j]) if strong[j] else 0.0
        short = log1p(facts[SHORT, j]) if strong[j] else 0.0
        for k in range(neighbours.shape[1]):
            target = np.int64(neighbours[items[j], k])
            if target < 0:
                continue
            place = find(keys, target)
            if keys[place] == target:
                score = np.float64(scores[items[j], k])
                sums[place, 0] += score * long
                sums[place, 1] += score * short
                sums[place, 2] += score
    for c in range(n_rows):
        for column in range(3):
            scale = 6.0 if column == 2 else 4.0
            out[c, at + column] = log1p(4.0 * sums[places[c], column]) / scale


@compiled(
    I64_1, F64_2, F64_1, I64, F64, I64_1, I64_2, F32_1, F32_2, I32_2, F32_2, I64_1, I64, I64, I64
)  # fmt: skip
def cross_features(
    items: IntArray,
    facts: DoubleArray,
    totals: DoubleArray,
    n_events: int,
    newest_age: float,
    rows: IntArray,
    features: IntArray,
    prices: FloatArray,
    stats: FloatArray,
    neighbours: npt.NDArray[np.int32],
    neighbour_scores: FloatArray,
    group_columns: IntArray,
    neighbour_items: int,
    history_length: int,
    n_columns: int,
) -> FloatArray:
    """float32 [C, X], as `engine.features.cross.cross_features`.

    Args:
        items, facts, totals: as `summarise` gives them.
        n_events, newest_age: of the whole history, also of items that the table lacks.
        rows: [C] of the table, all >= 0.
        features: [N, Fi]; `prices` [N]; `stats` [N, S]; `neighbours`, `neighbour_scores` [N', K], or [0, 0].
        group_columns: [G] columns of `features`.
        neighbour_items: how many of the strongest items count in the weighted sums over neighbours.
        history_length: of the schema; `n_columns`: X.
    """
    n_rows, m, n_groups, n_stats = len(rows), len(items), len(group_columns), stats.shape[1]
    n_half = len(facts) - DECAYED
    out = np.zeros((n_rows, n_columns), np.float32)
    _own_columns(out, items, facts, totals, rows, n_half)
    at = n_half + 14
    for g in range(n_groups):
        _group_columns(out, at + 4 * g, items, facts, rows, features, group_columns[g])
    at += 4 * n_groups
    if len(neighbours) and m:
        _neighbour_columns(out, at, items, facts, rows, neighbours, neighbour_scores, neighbour_items)
    at += 3
    longest = log1p(float(history_length))
    user_events, user_items = log1p(float(n_events)) / longest, log1p(float(m)) / longest
    user_recency = log1p(newest_age) / _LOG_YEAR
    visits_28d, items_28d = log1p(totals[VISITS_28D]) / 4.0, log1p(totals[ITEMS_28D]) / 7.0
    mean = totals[MEAN_PRICE]
    for c in range(n_rows):
        row = rows[c]
        for s in range(n_stats):
            out[c, at + s] = stats[row, s]
        price = min(np.float64(prices[row]), 3.4e38)
        o = at + n_stats
        if price > 0.0:
            out[c, o] = log1p(price) / 8.0
            if mean > 0.0:
                share = (price + 0.1) / (mean + 0.1)
                out[c, o + 1] = log(share) / 6.0 + 0.5 if share > 0.0 else 0.0
        out[c, o + 2], out[c, o + 3], out[c, o + 4] = user_events, user_items, user_recency
        out[c, o + 5], out[c, o + 6] = visits_28d, items_28d
        out[c, o + 7], out[c, o + 8] = totals[EXPLORATION], totals[BASKET]
        for x in range(n_columns):
            out[c, x] = min(max(out[c, x], np.float32(0.0)), np.float32(1.0))
    return out
