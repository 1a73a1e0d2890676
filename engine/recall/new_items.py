"""Who will want an item that nobody has bought yet: a score from its content and the user's own history.

An item belongs to groups: its category at each level, its brand, maker and so on, and each of those within
each category level. A user's history says how much of each group they take, how many different items, how
lately they tried something for the first time, and how often soon after its launch; the past of the whole
shop says how well such launches do. The score is linear in all of these (``new_items_fit.py`` of
``models/training`` learns the weights from earlier launches), so it is a table lookup for each group:

    score(user, item) = Σ_g  evidence(user, g(item)) · weights_g  +  prior(g(item))

Nothing of the item's own sales, nor its price, is used. Numpy only.

Legend: M items of the catalogue, P new ones, G groups, B bins (the values of all groups, numbered through;
bin B stands for "unknown"), n events and m distinct items of a history.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, UserContext
from engine.features.context import ages_in_days

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]

EVIDENCE = ("amount", "share", "variety", "variety_share", "first_taken", "launches", "any")
LAUNCH_DAYS = 28.0  # an item taken for the first time so soon after its first sale was taken as a new one
_HALF_LIFE_AMOUNT, _HALF_LIFE_FIRST = 60.0, 28.0  # days


def group_columns(schema: FeatureSchema) -> tuple[tuple[int, ...], ...]:
    """The columns of ``schema.item_slots`` that make each group: one, or two that count together."""
    slots = schema.item_slots
    levels = [column for column, slot in enumerate(slots) if slot.name.startswith("category_")]
    seen: set[str] = set()
    others = []
    for column, slot in enumerate(slots):
        if column and column not in levels and slot.kind != "number" and slot.name not in seen:
            others.append(column)
            seen.add(slot.name)
    single = [(column,) for column in (*levels, *others)]
    return tuple(single + [(column, level) for column in others for level in levels])


def group_keys(schema: FeatureSchema, features: IntArray) -> IntArray:
    """The value of each group of each item, int64 [N, G]; -1 where a part of it is unknown."""
    columns = group_columns(schema)
    keys = np.zeros((len(features), len(columns)), np.int64)
    known = np.ones(keys.shape, np.bool_)
    for group, parts in enumerate(columns):
        for part in parts:
            keys[:, group] = keys[:, group] * schema.item_slots[part].buckets + features[:, part]
            known[:, group] &= features[:, part] > 0
    return np.where(known, keys, -1)


@dataclass(frozen=True)
class Bins:
    """The known values of all groups. ``keys`` int64 [B], ascending within each group; group g's are
    ``starts[g] : starts[g + 1]``."""

    keys: IntArray
    starts: IntArray  # [G + 1]

    @classmethod
    def of(cls, keys: IntArray) -> Bins:
        """All values that occur in ``group_keys`` [N, G]."""
        found = [np.unique(column[column >= 0]) for column in keys.T]
        starts = np.cumsum([0, *(len(part) for part in found)])
        return cls(np.concatenate(found), starts.astype(np.int64))

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def group(self) -> IntArray:
        """The group of each bin, [B]."""
        return np.repeat(np.arange(len(self.starts) - 1), np.diff(self.starts))

    def find(self, keys: IntArray) -> IntArray:
        """The bins of ``group_keys`` [N, G], int64 [N, G]; B where a value is unknown."""
        found = np.full(keys.shape, len(self), np.int64)
        for group, column in enumerate(keys.T):
            own = self.keys[self.starts[group] : self.starts[group + 1]]
            if len(own):
                place = np.minimum(np.searchsorted(own, column), len(own) - 1)
                found[:, group] = np.where(own[place] == column, place + self.starts[group], len(self))
        return found


@dataclass(frozen=True)
class Taken:
    """The positive events of a user before now, in any order: ``items`` int64 [n], indices in the catalogue,
    all known; ``ages`` float64 [n], days before now."""

    items: IntArray
    ages: DoubleArray

    @classmethod
    def of(
        cls, context: UserContext, index: Mapping[str, int], schema: FeatureSchema, data_end: int
    ) -> Taken:
        """What a context tells; ``index``: the catalogue index of each item id."""
        positive, now = schema.positive, context.now
        events = [event for event in context.events if event.type in positive and event.at < now]
        events = events[: schema.history_length]
        items = np.array([index.get(event.item_id, -1) for event in events], np.int64)
        at = np.array([event.at for event in events], np.int64)
        known = items >= 0
        return cls(items[known], ages_in_days(at[known], now, data_end))


def evidence(
    taken: Taken, taken_bins: npt.NDArray[np.int32], launched: FloatArray, n_bins: int
) -> tuple[IntArray, FloatArray]:
    """What a history says of each group it touches: bins int64 [t], values float32 [t, len(EVIDENCE)].

    ``taken_bins`` [M, G] and ``launched`` [M], days before the end of what is known that each item of the
    catalogue was first sold, inf if it was there from the beginning.
    """
    items, inverse = np.unique(taken.items, return_inverse=True)
    if not len(items):
        return np.empty(0, np.int64), np.empty((0, len(EVIDENCE)), np.float32)
    first = np.zeros(len(items))
    np.maximum.at(first, inverse, taken.ages)
    amount = np.bincount(inverse, np.exp2(-taken.ages / _HALF_LIFE_AMOUNT), len(items))
    early = launched[items] - first < LAUNCH_DAYS
    parts = [amount, np.ones(len(items)), np.exp2(-first / _HALF_LIFE_FIRST), early.astype(np.float64)]
    bins = taken_bins[items]  # [m, G]
    touched, place = np.unique(bins.ravel(), return_inverse=True)
    size = len(touched)
    sums = [np.bincount(place, np.repeat(part, bins.shape[1]), size) for part in parts]
    known = touched < n_bins
    touched = touched[known]
    much, various, tried, launches = (total[known] for total in sums)
    columns = [
        np.log1p(much),
        np.sqrt(much / amount.sum()),
        np.log1p(various),
        np.sqrt(various / len(items)),
        np.log1p(tried),
        np.log1p(launches),
        np.ones(len(touched)),
    ]
    return touched.astype(np.int64), np.stack(columns, axis=1).astype(np.float32)


@dataclass(frozen=True)
class NewItemModel:
    """The learnt score, and where the items that histories are made of belong.

    ``weights`` float32 [len(EVIDENCE), G]; ``prior`` float32 [B]; ``taken_bins`` int32 [M, G] and
    ``launched`` float32 [M], days before the end of the data, by index of the catalogue.
    """

    bins: Bins
    weights: FloatArray
    prior: FloatArray
    taken_bins: npt.NDArray[np.int32]
    launched: FloatArray

    def prior_of(self, item_bins: npt.NDArray[np.integer]) -> FloatArray:
        """What is expected of items whoever looks: [P, G] -> float32 [P]."""
        padded = np.append(self.prior, np.float32(0))
        return np.asarray(padded[item_bins].sum(axis=1), np.float32)

    def personal(self, taken: Taken, item_bins: npt.NDArray[np.integer]) -> FloatArray:
        """What the history adds, item by item: [P, G] -> float32 [P]."""
        n_bins = len(self.bins)
        touched, values = evidence(taken, self.taken_bins, self.launched, n_bins)
        group = np.searchsorted(self.bins.starts, touched, side="right") - 1
        added = np.zeros(n_bins + 1, np.float32)
        added[touched] = (values * self.weights.T[group]).sum(axis=1)
        return np.asarray(added[item_bins].sum(axis=1), np.float32)
