"""How well launches of a kind do: what the shop's sales say of each group, whoever looks.

Legend: M items of the catalogue, B bins of all groups.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.features import DAY_MS
from engine.recall.new_items import DoubleArray, FloatArray, IntArray
from models.training.dataset import PreparedData

PRIORS = ("rate_28d", "launches_28d", "rate_84d", "launches_84d", "sales", "sales_28d", "trend", "tried_28d")
_PRIOR_LAUNCHES = 3.0  # a group's rate of takers per launch is drawn to the shop's by so many
_SETTLED_DAYS = 28.0


@dataclass(frozen=True)
class Sales:
    """Positive events, and the first of each user and item."""

    item: IntArray  # [E] catalogue index
    at: IntArray  # [E] ms
    first: IntArray  # [M] ms of the first sale, the largest number where there is none
    tried_item: IntArray  # [T] of each user and item the first event
    tried_at: IntArray
    begin: int  # ms, of the data

    @classmethod
    def of(cls, data: PreparedData) -> Sales:
        """All of a dataset."""
        stream, n = data.events, len(data.item_ids)
        chosen = data.positive[stream.type] & (stream.item >= 0)
        item, at, user = stream.item[chosen], stream.at[chosen], stream.user[chosen]
        first = np.full(n, np.iinfo(np.int64).max)
        np.minimum.at(first, item, at)
        # Events are sorted by user, then time: the first occurrence of a pair is its earliest.
        pairs, place = np.unique(user * n + item, return_index=True)
        return cls(item, at, first, pairs % n, at[place], data.begin)


def bin_priors(sales: Sales, item_bins: npt.NDArray[np.int32], n_bins: int, moment: int) -> FloatArray:
    """float32 [B, len(PRIORS)], from sales before the moment; ``item_bins`` int64 [M, G]."""
    n = len(sales.first)
    past, tried = sales.at < moment, sales.tried_at < moment
    days = (moment - sales.at) / DAY_MS
    sold = np.bincount(sales.item[past], minlength=n)
    now = np.bincount(sales.item[past & (days < 28)], minlength=n)
    earlier = np.bincount(sales.item[past & (days >= 28) & (days < 56)], minlength=n)
    takers = np.bincount(sales.tried_item[tried], minlength=n)
    late = np.bincount(sales.tried_item[tried & (moment - sales.tried_at < 28 * DAY_MS)], minlength=n)

    def by_bin(values: IntArray) -> DoubleArray:
        chosen = values > 0
        bins = item_bins[chosen]
        found = np.bincount(bins.ravel(), np.repeat(values[chosen], bins.shape[1]), n_bins + 1)
        return np.asarray(found[:n_bins], np.float64)

    items = by_bin((sold > 0).astype(np.int64))
    columns = []
    for window in (28, 84):
        new = (sales.first < moment) & (sales.first >= moment - window * DAY_MS)
        new &= sales.first >= sales.begin + _SETTLED_DAYS * DAY_MS
        launches, won = by_bin(new.astype(np.int64)), by_bin(np.where(new, takers, 0))
        usual = takers[new].sum() / max(int(new.sum()), 1)
        rate = (won + _PRIOR_LAUNCHES * usual) / (launches + _PRIOR_LAUNCHES)
        columns += [np.log(np.maximum(rate, 1e-3)), np.log1p(launches)]
    recent, before = by_bin(now), by_bin(earlier)
    columns += [np.log1p(by_bin(sold) / np.maximum(items, 1.0)), np.log1p(recent)]
    columns += [np.log((recent + 5.0) / (before + 5.0)), np.log((by_bin(late) + 1.0) / (items + 3.0))]
    return np.stack(columns, axis=1).astype(np.float32)
