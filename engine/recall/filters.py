"""What filters need to know of a release's items, as arrays by row."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable, Mapping
from threading import Lock
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from engine.features import canonical
from engine.records import category_path
from engine.types import ItemFilter

Mask = npt.NDArray[np.bool_]
"""One flag a row of the release: whether the item may be shown."""
Rows = npt.NDArray[np.int64]


class LiveSet(NamedTuple):
    """What cannot be bought now; `version` grows with each change. `ids` None: never read yet."""

    version: int
    ids: frozenset[str] | None


_CACHED_MASKS = 32  # combinations of category, brand and price kept ready; one byte an item each


class Catalogue:
    """Masks over the rows of one release. Masks it returns are shared: copy before writing.

    Args:
        records: the items in row order, in the Redis form (architecture, section 4).
        prices: float32 [N], NaN = unknown.
    """

    def __init__(self, records: Iterable[Mapping[str, Any]], prices: npt.NDArray[np.float32]) -> None:
        categories: dict[str, list[int]] = {}
        brands: dict[str, list[int]] = {}
        available: list[bool] = []
        for row, record in enumerate(records):
            for name in {canonical(part) for part in category_path(record)}:
                categories.setdefault(name, []).append(row)
            brands.setdefault(canonical(record.get("brand")), []).append(row)
            available.append(record.get("available") is not False)
        self._rows = {
            "category": {name: np.array(rows, np.int64) for name, rows in categories.items()},
            "brand": {name: np.array(rows, np.int64) for name, rows in brands.items()},
        }
        self.prices = np.asarray(prices)
        self.available: Mask = np.array(available, np.bool_)
        self._masks: OrderedDict[tuple[object, ...], Mask] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self.prices)

    def followed_by(self, more: Catalogue) -> Catalogue:
        """The rows of this one, then those of `more`. Both stay as they are; what is equal is shared."""
        made = Catalogue((), np.concatenate([self.prices, more.prices]))
        made.available = np.concatenate([self.available, more.available])
        for field, added in more._rows.items():
            rows = made._rows[field] = dict(self._rows[field])
            for name, places in added.items():
                later = places + len(self)
                rows[name] = np.concatenate([rows[name], later]) if name in rows else later
        return made

    def matching(self, wanted: ItemFilter) -> Mask | None:
        """The rows that fit the filter's categories, brands and prices; None if these do not restrict."""
        low, high = wanted.price_min, wanted.price_max
        if not wanted.categories and not wanted.brands and low is None and high is None:
            return None
        key = (wanted.categories, wanted.brands, low, high)
        with self._lock:
            mask = self._masks.get(key)
            if mask is not None:
                self._masks.move_to_end(key)
                return mask
        mask = self._compute(wanted)
        with self._lock:
            self._masks[key] = mask
            while len(self._masks) > _CACHED_MASKS:
                self._masks.popitem(last=False)
        return mask

    def _compute(self, wanted: ItemFilter) -> Mask:
        mask = np.ones(len(self), np.bool_)
        for field, values in (("category", wanted.categories), ("brand", wanted.brands)):
            if values:
                named = np.zeros(len(self), np.bool_)
                for value in values:
                    rows = self._rows[field].get(canonical(value))
                    if rows is not None:
                        named[rows] = True
                mask &= named
        # NaN compares false, so an item without a price is left out as soon as either bound is given
        if wanted.price_min is not None:
            mask &= self.prices >= wanted.price_min
        if wanted.price_max is not None:
            mask &= self.prices <= wanted.price_max
        return mask
