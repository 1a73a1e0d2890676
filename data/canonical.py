"""The canonical tables: their columns, their ids.

The formats are those of docs/architecture.md, section 1.
"""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.dataset import further_item_features
from engine.dataset import Dataset, Feature
from engine.ids import BLANKS

EVENTS = pa.schema(
    [
        pa.field("user_id", pa.string(), nullable=False),
        pa.field("item_id", pa.string(), nullable=False),
        pa.field("type", pa.string(), nullable=False),
        pa.field("at", pa.timestamp("ms"), nullable=False),
        pa.field("value", pa.float32(), nullable=False),
    ]
)

ITEM_COLUMNS = [
    pa.field("item_id", pa.string(), nullable=False),
    pa.field("title", pa.string(), nullable=False),
    pa.field("category_path", pa.list_(pa.string()), nullable=False),
    pa.field("brand", pa.string()),
    pa.field("shop", pa.string()),
    pa.field("price", pa.float64()),
    pa.field("available", pa.bool_(), nullable=False),
    pa.field("listed_at", pa.timestamp("ms")),
    pa.field("description", pa.string()),
    pa.field("url", pa.string()),
    pa.field("image_url", pa.string()),
    pa.field("variant_of", pa.string()),
]


def canonical_ids(texts: Any) -> Any:
    """`engine.ids.canonical_id` of a whole Arrow string array at once; nulls stay null."""
    trimmed = pc.utf8_trim(texts, BLANKS)
    return pc.replace_substring_regex(trimmed, r"^([+-]?[0-9]+)\.0+$", r"\1")


def users_schema(dataset: Dataset) -> Any:
    """Columns of users.parquet: the id, then one per user feature."""
    fields = [pa.field("user_id", pa.string(), nullable=False)]
    return pa.schema(fields + [_feature_field(feature) for feature in dataset.user_features])


def items_schema(dataset: Dataset) -> Any:
    """Columns of items.parquet: the fixed ones, then one per further item feature."""
    return pa.schema(ITEM_COLUMNS + [_feature_field(feature) for feature in further_item_features(dataset)])


def _feature_field(feature: Feature) -> Any:
    kinds = {"categorical": pa.string(), "number": pa.float64(), "multi": pa.list_(pa.string())}
    return pa.field(feature.name, kinds[feature.kind])
