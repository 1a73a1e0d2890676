"""The catalogue as arrays: item ids, encoded features, prices, statistics, neighbours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features.hashing import canonical
from engine.features.schema import FeatureSchema, as_number
from engine.records import Record, category_path, record_id, record_shop

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

# Columns of ``stats``, each scaled to 0 … 1 and as of the end of the data.
STATS = (
    "popularity_14d", "popularity_90d", "buyers", "repeat_rate", "newness",
    "popularity_28d", "trend", "retention", "new_buyers", "last_sold", "popularity_3d", "popularity_7d",
)  # fmt: skip


@dataclass
class ItemTable:
    """Items by row. N items, Fi feature columns (``schema.item_slots``), S statistics, K neighbours."""

    schema: FeatureSchema
    ids: list[str]
    features: IntArray  # [N, Fi]
    prices: FloatArray  # [N], NaN = unknown
    stats: FloatArray  # [N, S]
    data_end: int  # ms: statistics and neighbours know nothing at or after it
    neighbours: npt.NDArray[np.int32] | None = None  # [N', K], N' <= N, -1 = none
    neighbour_scores: FloatArray | None = None  # [N', K]
    text: npt.NDArray[np.int32] | None = None  # [N, L], L = schema.text_length
    _row: dict[str, int] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        self._row = {item: row for row, item in enumerate(self.ids)}

    @classmethod
    def from_records(cls, schema: FeatureSchema, records: Sequence[Record], data_end: int = 0) -> ItemTable:
        """A table of these items in this order; statistics are zero. The first ``schema.n_item_ids`` have an
        embedding of their own."""
        ids, features, prices = encode_items(schema, records)
        known = min(schema.n_item_ids, len(ids))
        features[:known, 0] = np.arange(1, known + 1)
        stats = np.zeros((len(ids), len(STATS)), np.float32)
        text = encode_texts(schema, records)
        return cls(schema, ids, features, prices, stats, data_end, text=text)

    def __len__(self) -> int:
        return len(self.ids)

    def row_of(self, ids: Iterable[str]) -> IntArray:
        """The row of each id, int64; -1 where the table has no such item."""
        get = self._row.get
        return np.array([get(item, -1) for item in ids], np.int64)

    def as_of(
        self,
        data_end: int,
        stats: FloatArray,
        neighbours: npt.NDArray[np.int32] | None,
        neighbour_scores: FloatArray | None,
    ) -> ItemTable:
        """The same items with what was known of them at another time; for time-correct training samples."""
        return replace(
            self, data_end=data_end, stats=stats, neighbours=neighbours, neighbour_scores=neighbour_scores
        )


def encode_items(schema: FeatureSchema, records: Sequence[Record]) -> tuple[list[str], IntArray, FloatArray]:
    """Ids, features int64 [n, Fi] (id code 0) and prices float32 [n] of items in the Redis form.

    Missing or odd values become unknown; never raises for a value.
    """
    ids: list[str] = []
    features = np.zeros((len(records), len(schema.item_slots)), np.int64)
    prices = np.full(len(records), np.nan, np.float32)
    hasher = schema.hasher
    for position, record in enumerate(records):
        ids.append(record_id(record))
        values = item_values(record)
        codes = [
            code for entry in schema.item_fields for code in entry.encode(values.get(entry.name), hasher)
        ]
        features[position, 1:] = codes
        price = as_number(record.get("price"))
        if price is not None:
            prices[position] = price
    return ids, features, prices


def encode_texts(schema: FeatureSchema, records: Sequence[Record]) -> npt.NDArray[np.int32]:
    """The terms of titles and descriptions (``engine/features/text.py``), int32 [n, L], 0 = padding."""
    codes = np.zeros((len(records), schema.text_length), np.int32)
    if schema.text_length:
        for position, record in enumerate(records):
            bag = schema.text_hasher.bag(record, schema.text_buckets, schema.text_length)
            codes[position, : len(bag)] = bag
    return codes


def item_values(record: Record) -> dict[str, Any]:
    """Feature values by field name: a category level is known by its whole path, so that equal names in
    different departments stay apart."""
    values = dict(record)
    values["shop"] = record_shop(record)
    path = category_path(record)
    for level in range(1, len(path) + 1):
        values[f"category_{level}"] = "\x1f".join(canonical(part) for part in path[:level])
    return values
