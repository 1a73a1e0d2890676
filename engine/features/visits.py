"""User-item features that count by visits, not by days: a staple is what is in every second basket.

A visit is all that a user took at one moment. Legend: V visits, m distinct items, C candidates.
"""

from __future__ import annotations

import numpy as np

from engine.features.summary import DoubleArray, HistorySummary
from engine.features.table import IntArray

VISIT_COLUMNS = (
    "count_180d", "visits_since", "visit_share", "visit_share_90d", "visit_share_known", "visit_ratio",
)  # fmt: skip
USER_COLUMNS = ("user_visits_28d", "user_items_28d", "user_exploration", "user_basket")

_LONGEST = np.log1p(400.0)  # visits
_MONTH = 28.0  # days


def visit_columns(past: HistorySummary, place: IntArray) -> list[DoubleArray]:
    """``VISIT_COLUMNS`` of each candidate; ``place`` [C]: its position in ``past.items``, m = never taken."""
    m = len(past.items)
    taken = past.positive
    visits, visit = np.unique(past.ages[taken], return_inverse=True)  # [V], newest first
    if not len(visits):
        return [np.zeros(len(place)) for _ in VISIT_COLUMNS]
    pairs = np.unique(past.inverse[taken] * len(visits) + visit)  # two lines of a basket count once
    item, visit = pairs // len(visits), pairs % len(visits)

    def per_item(weights: DoubleArray | None) -> DoubleArray:
        return np.bincount(item, weights, m + 1).astype(np.float64, copy=False)

    quarter = np.exp2(-visits / 90.0)
    count = per_item(None)
    newest, oldest = np.full(m + 1, np.inf), np.zeros(m + 1)
    # Pairs are ordered by item, then visit: of each item the first one written last is the newest.
    newest[item[::-1]], oldest[item] = visit[::-1], visit
    known = count > 0
    since = np.where(known, newest, 0.0)
    interval = np.where(count > 1, (oldest - since) / np.maximum(count - 1.0, 1.0), 0.0)
    columns = [
        np.log1p(per_item(np.exp2(-visits / 180.0)[visit])) / 4.0,
        np.where(known, 1.0 - np.log1p(since) / _LONGEST, 0.0),
        np.sqrt(count / len(visits)),
        np.sqrt(per_item(quarter[visit]) / quarter.sum()),
        np.where(known, np.sqrt(count / (oldest + 3.0)), 0.0),  # since it was first taken, shrunk
        np.where(count > 1, since / (since + np.maximum(interval, 0.5)), 0.0),  # 0.5 = exactly due
    ]
    return [column[place] for column in columns]


def user_columns(past: HistorySummary) -> tuple[float, ...]:
    """``USER_COLUMNS``: how much the user takes now, and how much of it is new to them."""
    ages, items = past.ages[past.positive], past.inverse[past.positive]
    if not len(ages):
        return (0.0,) * len(USER_COLUMNS)
    recent = ages < _MONTH
    lately, before = np.unique(items[recent]), np.unique(items[~recent])
    fresh = len(lately) - len(np.intersect1d(lately, before, assume_unique=True))
    visits = len(np.unique(ages))
    return (
        float(np.log1p(len(np.unique(ages[recent]))) / 4.0),
        float(np.log1p(len(lately)) / 7.0),
        fresh / len(lately) if len(lately) else 0.0,
        float(np.log1p(len(ages) / visits) / 5.0),
    )
