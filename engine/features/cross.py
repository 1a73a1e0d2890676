"""User-item features: what a user's own history says about each candidate, for all of them at once.

Everything here depends only on the history (events strictly before now), the candidates' rows and the item
table, and each candidate's features on nothing but itself: a candidate scores the same in any list.

Legend: n events, m distinct items, C candidates, H half-lives, G groups (category levels, brand, shop).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine import kernels
from engine.features.schema import FeatureSchema
from engine.features.summary import LONG_MEMORY, SHORT_MEMORY, DoubleArray, HistorySummary
from engine.features.table import STATS, FloatArray, IntArray, ItemTable
from engine.features.visits import USER_COLUMNS, VISIT_COLUMNS, user_columns, visit_columns
from engine.vocabulary import EVENT_CODE

_LOG_YEAR = np.log1p(365.0)
_INTENT_HALF_LIFE = 2.0  # days: clicks and carts are forgotten quickly
_NO_NEIGHBOURS, _NO_SCORES = np.empty((0, 0), np.int32), np.empty((0, 0), np.float32)
# Sums over the whole catalogue cost less than looking candidates up, until it has so many items for each
# neighbour that is added: measured with 6,000 to 100,000 neighbours and 15,000 to 3 million items.
_ITEMS_PER_NEIGHBOUR = 40


def cross_names(schema: FeatureSchema) -> tuple[str, ...]:
    """The name of each column that ``cross_features`` returns, in order."""
    groups = [schema.item_slots[column].name for column in schema.group_columns]
    return (
        *(f"count_{half:g}d" for half in schema.half_lives),
        "count", "recency", "interval_ratio", "overdue_known", "share",
        "intent_look", "intent_want", "disliked",
        *VISIT_COLUMNS,
        *(f"{group}_{memory}" for group in groups for memory in ("long", "short", "amount", "recency")),
        "neighbours", "neighbours_recent", "neighbours_ever",
        *STATS,
        "price", "price_ratio", "user_events", "user_items", "user_recency", *USER_COLUMNS,
    )  # fmt: skip


def cross_features(
    schema: FeatureSchema, table: ItemTable, past: HistorySummary, rows: IntArray
) -> FloatArray:
    """float32 [C, len(cross_names)]; every value between 0 and 1, 0 where nothing is known.

    By the compiled kernel where it is loaded and made the summary, within 1e-6 of what is defined here.
    """
    compiled = kernels.loaded()
    if compiled is not None and past.facts is not None:
        neighbours, scores = table.neighbours, table.neighbour_scores
        if neighbours is None or scores is None:
            neighbours, scores = _NO_NEIGHBOURS, _NO_SCORES
        result: FloatArray = compiled.cross_features(
            past.items, *past.facts, past.n_events, past.newest_age, np.ascontiguousarray(rows, np.int64),
            table.features, table.prices, table.stats, neighbours, scores,
            np.array(schema.group_columns, np.int64), schema.neighbour_items, schema.history_length,
            len(cross_names(schema)),
        )  # fmt: skip
        return result
    place = _place(past, rows)
    columns: list[DoubleArray | FloatArray] = [
        *_item_columns(past, place),
        *visit_columns(past, place),
        *_group_columns(schema, table, past, rows),
        *_neighbour_columns(schema, table, past, rows),
    ]
    result = np.empty((len(rows), len(columns) + len(STATS) + 5 + len(USER_COLUMNS)), np.float32)
    for position, column in enumerate(columns):
        result[:, position] = column
    at = len(columns)
    result[:, at : at + len(STATS)] = table.stats[rows]
    at += len(STATS)
    price = np.nan_to_num(table.prices[rows])
    result[:, at] = np.log1p(price) / 8.0
    ratio = np.log((price + 0.1) / (past.mean_price + 0.1)) / 6.0 + 0.5
    result[:, at + 1] = np.where((price > 0) & (past.mean_price > 0), ratio, 0.0)
    result[:, at + 2] = np.log1p(past.n_events) / np.log1p(schema.history_length)
    result[:, at + 3] = np.log1p(len(past.items)) / np.log1p(schema.history_length)
    result[:, at + 4] = np.log1p(past.newest_age) / _LOG_YEAR
    result[:, at + 5 :] = user_columns(past)
    return np.clip(result, 0.0, 1.0, out=result)


def _place(past: HistorySummary, rows: IntArray) -> IntArray:
    """Each candidate's position in ``past.items``, or m for "never"; [C]."""
    m = len(past.items)
    place = np.searchsorted(past.items, rows)
    return np.where(past.items[np.minimum(place, m - 1)] == rows, place, m) if m else np.zeros_like(rows)


def _item_columns(past: HistorySummary, place: IntArray) -> list[DoubleArray]:
    """What the user did with the candidate itself; ``place`` as ``_place`` gives it."""
    m = len(past.items)
    bought, inverse, ages = past.positive, past.inverse, past.ages

    def per_item(weights: DoubleArray) -> DoubleArray:
        return np.bincount(inverse, weights, m + 1).astype(np.float64, copy=False)

    count = per_item(bought.astype(np.float64))
    decayed = [per_item(decay * bought) for decay in past.decay]
    last, first = np.full(m + 1, np.inf), np.full(m + 1, np.inf)
    # Of several events of an item the last one written wins: the newest for `last`, the oldest for `first`.
    bought_items, bought_ages = inverse[bought], ages[bought]
    last[bought_items[::-1]] = bought_ages[::-1]
    first[bought_items] = bought_ages
    with np.errstate(invalid="ignore", divide="ignore"):
        interval = (first - last) / (count - 1.0)  # NaN where never bought
    regular = (count >= 2) & (interval > 0.5)
    due = np.where(regular, last, 0.0)
    ratio = due / (due + np.where(regular, interval, 1.0))  # 0.5 = exactly due
    recency = np.where(np.isfinite(last), 1.0 - np.log1p(np.minimum(last, 365.0)) / _LOG_YEAR, 0.0)
    total = float((past.decay[LONG_MEMORY] * bought).sum())
    types = past.history.types
    fresh = np.exp2(-ages / _INTENT_HALF_LIFE)
    looks = per_item(fresh * np.isin(types, (EVENT_CODE["view"], EVENT_CODE["click"])))
    wants = per_item(fresh * np.isin(types, (EVENT_CODE["cart"], EVENT_CODE["favorite"])))
    dislikes = per_item((types == EVENT_CODE["dislike"]).astype(np.float64))
    columns = [
        *(np.log1p(value) / 4.0 for value in decayed),
        np.log1p(count) / 5.0,
        recency,
        ratio,
        regular.astype(np.float64),
        np.sqrt(decayed[LONG_MEMORY] / max(total, 1.0)),
        np.log1p(looks) / 3.0,
        np.log1p(wants) / 2.0,
        np.minimum(dislikes, 1.0),
    ]
    return [column[place] for column in columns]


def _group_columns(
    schema: FeatureSchema, table: ItemTable, past: HistorySummary, rows: IntArray
) -> list[DoubleArray]:
    """The share of the user's interest that goes to the candidate's category (each level), brand and shop,
    how much that is, and how long ago they took something of it."""
    long, short = past.decay[LONG_MEMORY] * past.liked, past.decay[SHORT_MEMORY] * past.liked
    long_total, short_total = max(float(long.sum()), 1e-9), max(float(short.sum()), 1.0)
    seen, asked = table.features[past.history.rows], table.features[rows]
    taken, recency = past.positive, 1.0 - np.log1p(np.minimum(past.ages, 365.0)) / _LOG_YEAR
    slots = schema.item_slots
    columns: list[DoubleArray] = []
    for column in schema.group_columns:
        codes, wanted = seen[:, column], asked[:, column]
        for weights, total in ((long, long_total), (short, short_total)):
            share = np.bincount(codes, weights, slots[column].buckets)[wanted] / total
            columns.append(np.sqrt(np.where(wanted > 0, share, 0.0)))
        amount = np.bincount(codes, long, slots[column].buckets)
        newest = np.zeros(slots[column].buckets)
        # Newest first: written in reverse, the newest of each group stays.
        newest[codes[taken][::-1]] = recency[taken][::-1]
        columns.append(np.where(wanted > 0, np.log1p(amount[wanted]) / 6.0, 0.0))
        columns.append(np.where(wanted > 0, newest[wanted], 0.0))
    return columns


def _neighbour_columns(
    schema: FeatureSchema, table: ItemTable, past: HistorySummary, rows: IntArray
) -> list[DoubleArray]:
    """How strongly the candidate is a neighbour of the user's strongest items, with long and short memory,
    and of everything the user ever met, each item counting once."""
    if table.neighbours is None or table.neighbour_scores is None or not len(past.items):
        return [np.zeros(len(rows)) for _ in range(3)]
    inside = np.flatnonzero(past.items < len(table.neighbours))
    sources = past.items[inside]
    targets, scores = table.neighbours[sources], table.neighbour_scores[sources]  # [m, K]
    strong = np.zeros(len(past.items))
    strong[past.strongest(schema.neighbour_items)] = 1.0
    long, short = np.log1p(past.long_weight) * strong, np.log1p(past.short_weight) * strong
    weights = [weight[inside] for weight in (long, short, np.ones(len(strong)))]
    spread = _spread if len(table) <= _ITEMS_PER_NEIGHBOUR * targets.size else _look_up
    sums = spread(len(table), targets, scores, weights, rows)
    return [np.log1p(4.0 * total) / scale for total, scale in zip(sums, (4.0, 4.0, 6.0), strict=True)]


def _spread(
    n_items: int,
    targets: npt.NDArray[np.int32],
    scores: FloatArray,
    weights: list[DoubleArray],
    rows: IntArray,
) -> list[DoubleArray]:
    """Sums of the scores of each candidate weighted by each of ``weights`` [m]: [C] each, gathered for every
    item at once; ``targets`` and ``scores`` [m, K]."""
    known = np.maximum(targets, 0).ravel()  # an empty place has score 0
    sums = []
    for weight in weights:
        gain = (scores * weight.astype(np.float32)[:, None]).ravel()
        sums.append(np.bincount(known, gain, n_items).astype(np.float64, copy=False)[rows])
    return sums


def _look_up(
    n_items: int,
    targets: npt.NDArray[np.int32],
    scores: FloatArray,
    weights: list[DoubleArray],
    rows: IntArray,
) -> list[DoubleArray]:
    """The same sums, gathered for the candidates alone."""
    order = np.argsort(rows, kind="stable")
    ordered = rows[order]
    place = np.searchsorted(ordered, targets.ravel())
    place[place == len(rows)] = 0
    hit = np.flatnonzero(ordered[place] == targets.ravel())
    place, flat, source = place[hit], scores.ravel()[hit], hit // targets.shape[1]
    # Equal candidates share the leftmost place, so they all read the sum that was gathered there.
    leftmost = np.searchsorted(ordered, rows)
    sums = [np.bincount(place, flat * weight[source], len(rows)) for weight in weights]
    return [total.astype(np.float64, copy=False)[leftmost] for total in sums]
