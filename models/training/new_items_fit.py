"""Learns the score of ``engine/recall/new_items.py`` from launches of the past.

At some moments before the end of the data it is asked: of the items first sold in the window that followed,
which did each user take? The users are those who took one; each of their takings is set against all other
launches of that window by a softmax (some of them drawn, weighted for the rest). Evidence and priors are as
of the moment: nothing later is known.

Legend: M items of the catalogue, B bins of all groups.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy.optimize import minimize

from engine.features import DAY_MS, FeatureSchema, encode_items
from engine.recall.new_items import (
    EVIDENCE,
    Bins,
    DoubleArray,
    FloatArray,
    IntArray,
    NewItemModel,
    Taken,
    evidence,
    group_keys,
)
from models.training.dataset import PreparedData

PRIORS = ("rate_28d", "launches_28d", "rate_84d", "launches_84d", "sales", "sales_28d", "trend", "tried_28d")
_PRIOR_LAUNCHES = 3.0  # a group's rate of takers per launch is drawn to the shop's by so many
_LEVEL_DAYS = 28.0
MOMENTS = 3  # launches of so many windows are learnt from
_NEGATIVES = 100  # launches drawn beside each user's own
_L2 = 30.0
_STEPS = 80
_SETTLED_DAYS = 56.0  # what was first sold within these days of the data's begin is no launch


@dataclass(frozen=True)
class _Choices:
    """R rows in groups by user and moment: ``x`` [R, F], ``taken`` [R], ``start`` of each group [K]."""

    x: FloatArray
    taken: npt.NDArray[np.bool_]
    start: IntArray
    missing: FloatArray  # log of how many undrawn items each drawn one stands for, [R]


class NewItemFit:
    """One fit, over all items of the dataset, those that the release does not know among them."""

    def __init__(self, data: PreparedData, schema: FeatureSchema, window: int, seed: int) -> None:
        self.data, self.schema, self.window, self.seed = data, schema, window, seed
        _, features, _ = encode_items(schema, data.records)
        keys = group_keys(schema, features)
        self.bins = Bins.of(keys)
        self.item_bins = self.bins.find(keys).astype(np.int32)  # [M, G]
        self.sales = Sales.of(data)

    def fit(self, end: int, moments: int = MOMENTS) -> NewItemModel | None:
        """The model as of ``end``; None where there were no launches to learn from."""
        launches = [
            part
            for back in range(1, moments + 1)
            if end - back * self.window > self.data.begin + _SETTLED_DAYS * DAY_MS
            and (part := self._choices(end - back * self.window)) is not None
        ]
        if not launches:
            return None
        weights = _softmax(launches)
        groups = self.item_bins.shape[1]
        split = len(EVIDENCE) * groups
        of_prior = weights[split:].reshape(len(PRIORS), groups).T[self.bins.group]  # [B, priors]
        prior = bin_priors(self.sales, self.item_bins, len(self.bins), end) * of_prior
        return NewItemModel(
            self.bins,
            weights[:split].reshape(len(EVIDENCE), groups).astype(np.float32),
            prior.sum(axis=1).astype(np.float32),
            self.item_bins,
            self.launched(end),
        )

    def launched(self, moment: int) -> FloatArray:
        """Days before the moment that each item was first sold; inf where it was there from the beginning."""
        first = self.sales.first
        settled = first < self.data.begin + _SETTLED_DAYS * DAY_MS
        return np.where(settled, np.inf, (moment - first) / DAY_MS).astype(np.float32)

    def launches(self, moment: int) -> IntArray:
        """Catalogue indices of the items first sold in the window after the moment."""
        first = self.sales.first
        return np.flatnonzero((first >= moment) & (first < moment + self.window))

    def unsold(self) -> IntArray:
        """Catalogue indices of the items without a positive event."""
        return np.flatnonzero(self.sales.first == np.iinfo(np.int64).max)

    def _choices(self, moment: int) -> _Choices | None:
        """Users who took launches, and the launches they could have taken."""
        new = self.launches(moment)
        if len(new) < 2:
            return None
        rng = np.random.default_rng([self.seed, moment // DAY_MS])
        known = bin_priors(self.sales, self.item_bins, len(self.bins), moment)
        priors = np.append(known, np.zeros((1, len(PRIORS)), np.float32), axis=0)
        bins = self.item_bins[new]
        fixed = priors[bins].transpose(0, 2, 1).reshape(len(new), -1)  # [P, priors × G]
        launched = self.launched(moment)
        x, taken, start, missing = [], [], [0], []
        for user, own in self._takers(moment, new):
            others = np.setdiff1d(np.arange(len(new)), own)
            if not len(others):  # who took all of them does not say which would suit whom
                continue
            drawn = rng.choice(others, min(_NEGATIVES, len(others)), replace=False)
            chosen = np.concatenate([own, drawn])
            own_part = self._personal(self.taken(user, moment), bins[chosen], launched)
            x.append(np.concatenate([own_part, fixed[chosen]], axis=1).astype(np.float32))
            taken.append(np.arange(len(chosen)) < len(own))
            missing.append(np.full(len(chosen), np.log(len(others) / max(len(drawn), 1)), np.float32))
            start.append(start[-1] + len(chosen))
        if not x:
            return None
        return _Choices(
            np.concatenate(x), np.concatenate(taken), np.array(start[:-1]), np.concatenate(missing)
        )

    def taken(self, user: int, moment: int) -> Taken:
        """The user's history before the moment, as long as it is served."""
        stream = self.data.events
        part = stream.before(user, moment, self.schema.history_length)
        chosen = self.data.positive[stream.type[part]] & (stream.item[part] >= 0)
        return Taken(stream.item[part][chosen], (moment - stream.at[part][chosen]) / DAY_MS)

    def _personal(self, taken: Taken, item_bins: IntArray, launched: FloatArray) -> FloatArray:
        """The evidence on items as columns: [P, G] -> [P, evidence × G]."""
        n_bins = len(self.bins)
        touched, values = evidence(taken, self.item_bins, launched, n_bins)
        dense = np.zeros((n_bins + 1, len(EVIDENCE)), np.float32)
        dense[touched] = values
        return np.asarray(dense[item_bins].transpose(0, 2, 1).reshape(len(item_bins), -1))

    def _takers(self, moment: int, new: IntArray) -> Iterator[tuple[int, IntArray]]:
        """Users with a history who took launches in the window, and which (places in ``new``)."""
        place = np.full(len(self.data.item_ids), -1, np.int64)
        place[new] = np.arange(len(new))
        stream = self.data.events
        chosen = self.data.positive[stream.type] & (stream.item >= 0)
        chosen &= (stream.at >= moment) & (stream.at < moment + self.window)
        chosen[chosen] &= place[stream.item[chosen]] >= 0
        pairs = np.unique(stream.user[chosen] * len(new) + place[stream.item[chosen]])
        users, starts = np.unique(pairs // len(new), return_index=True)
        for user, own in zip(users.tolist(), np.split(pairs % len(new), starts[1:]), strict=True):
            if stream.start[user] < stream.start[user + 1] and stream.at[stream.start[user]] < moment:
                yield user, own


def _softmax(launches: list[_Choices]) -> DoubleArray:
    """Weights [F] that make what was taken likelier than what was not, with an L2 penalty."""
    x = np.concatenate([part.x for part in launches])
    shifts = np.cumsum([0, *(len(part.taken) for part in launches)])[:-1]
    start = np.concatenate([part.start + shift for part, shift in zip(launches, shifts, strict=True)])
    taken = np.concatenate([part.taken for part in launches])
    missing = np.concatenate([part.missing for part in launches])
    scale = x.std(axis=0) + 1e-6
    x = x / scale
    loss = _loss(x, taken, start, missing)
    found = minimize(loss, np.zeros(x.shape[1]), jac=True, method="L-BFGS-B", options={"maxiter": _STEPS})
    return np.where(x.any(axis=0), found.x / scale, 0.0)


def _loss(
    x: FloatArray, taken: npt.NDArray[np.bool_], start: IntArray, missing: FloatArray
) -> Callable[[DoubleArray], tuple[float, DoubleArray]]:
    """Σ -log( e^s / (e^s + Σ_not taken e^s') ) over what was taken, and its gradient."""
    group = np.repeat(np.arange(len(start)), np.diff([*start, len(taken)]))
    mine = group[taken]

    def loss(weights: DoubleArray) -> tuple[float, DoubleArray]:
        score = (x @ weights.astype(np.float32)).astype(np.float64)
        rest = np.where(taken, -np.inf, score + missing)
        top = np.maximum.reduceat(rest, start)
        share = np.exp(rest - top[group])
        total = np.add.reduceat(share, start)
        behind = (top + np.log(total))[mine] - score[taken]
        error = 1.0 / (1.0 + np.exp(-np.clip(behind, -30.0, 30.0)))
        slope = share / total[group] * np.bincount(mine, error, len(start))[group]
        slope[taken] = -error
        value = float(np.logaddexp(0.0, behind).sum() + 0.5 * _L2 * (weights @ weights))
        return value, (x.T @ slope.astype(np.float32)).astype(np.float64) + _L2 * weights

    return loss


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
        new &= sales.first >= sales.begin + _LEVEL_DAYS * DAY_MS
        launches, won = by_bin(new.astype(np.int64)), by_bin(np.where(new, takers, 0))
        usual = takers[new].sum() / max(int(new.sum()), 1)
        rate = (won + _PRIOR_LAUNCHES * usual) / (launches + _PRIOR_LAUNCHES)
        columns += [np.log(np.maximum(rate, 1e-3)), np.log1p(launches)]
    recent, before = by_bin(now), by_bin(earlier)
    columns += [np.log1p(by_bin(sold) / np.maximum(items, 1.0)), np.log1p(recent)]
    columns += [np.log((recent + 5.0) / (before + 5.0)), np.log((by_bin(late) + 1.0) / (items + 3.0))]
    return np.stack(columns, axis=1).astype(np.float32)
