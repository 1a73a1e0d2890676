"""Unit prices from sales lines, where a dataset has no price list."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

SMALLEST = 0.01


class MeanPrices:
    """The mean of value / quantity per item, over lines where both are positive."""

    def __init__(self) -> None:
        self._row: dict[str, int] = {}
        self._totals = np.zeros((1024, 2))

    def add(self, ids: Any, values: Any, quantities: Any) -> None:
        """Take sales lines: item ids, money and pieces, all [N]."""
        encoded = ids.dictionary_encode()
        rows = np.array(
            [self._row.setdefault(item, len(self._row)) for item in encoded.dictionary.to_pylist()], int
        )
        while len(self._row) > len(self._totals):
            self._totals = np.concatenate([self._totals, np.zeros_like(self._totals)])
        at = rows[encoded.indices.to_numpy()] if len(rows) else np.zeros(0, int)
        accumulate(self._totals, at, values.to_numpy(), quantities.to_numpy())

    def of(self, ids: Any) -> Any:
        """Prices of items that were added, [N]; null where no line had a price."""
        return mean_prices(self._totals[[self._row[item] for item in ids.to_pylist()]])


def accumulate(totals: Any, rows: Any, values: Any, quantities: Any) -> None:
    """Add the unit prices of sane lines (positive money and pieces) to `totals` [items, (sum, count)]."""
    sane = (quantities > 0) & (values > 0)
    np.add.at(totals, (rows[sane], 0), values[sane] / quantities[sane])
    np.add.at(totals, (rows[sane], 1), 1)


def mean_prices(totals: npt.NDArray[np.float64]) -> Any:
    """Means of `totals` [N, 2] rounded to cents, at least one cent; null where nothing was added."""
    none = totals[:, 1] == 0
    means = np.round(totals[:, 0] / np.where(none, 1, totals[:, 1]), 2)
    return pa.array(np.maximum(means, SMALLEST), mask=none)
