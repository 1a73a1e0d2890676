"""A small shop with few items and one user, for tests of features and releases."""

from __future__ import annotations

from typing import Any

import pytest

from engine.dataset import dataset_of
from engine.features import DAY_MS, Event, FeatureEncoder, FeatureSchema, ItemTable, UserContext

NOW = 1_500_000_000_000
DESCRIPTION: dict[str, Any] = {
    "dataset": {"name": "tiny"},
    "events": {"positive": ["purchase"]},
    "user_feature": [
        {"name": "age", "kind": "categorical", "buckets": 64},
        {"name": "income", "kind": "number", "boundaries": [10.0, 20.0]},
        {"name": "hobbies", "kind": "multi", "buckets": 32},
    ],
    "item_feature": [{"name": "size", "kind": "categorical", "buckets": 16}],
}


def record(number: int) -> dict[str, Any]:
    """An item as in Redis."""
    return {
        "sku_id": str(number),
        "brand": str(number % 3),
        "shopid": "1",
        "cate": f"c{number % 4}",
        "title": f"Item {number}",
        "category_path": ["food", f"c{number % 4}"],
        "price": 1.0 + number,
        "available": True,
        "listed_at": None,
        "size": "5.0",
    }


@pytest.fixture
def schema() -> FeatureSchema:
    return FeatureSchema.from_dataset(
        dataset_of(DESCRIPTION), category_levels=2, n_item_ids=12, sequence_length=8
    )


@pytest.fixture
def table(schema: FeatureSchema) -> ItemTable:
    return ItemTable.from_records(schema, [record(n) for n in range(12)], data_end=NOW)


@pytest.fixture
def encoder(schema: FeatureSchema, table: ItemTable) -> FeatureEncoder:
    return FeatureEncoder(schema, table)


@pytest.fixture
def context() -> UserContext:
    """Bought item 3 every tenth day, item 4 once, looked at item 5 and at something unknown."""
    events = [Event("5", "click", NOW - 1000), Event("gone", "view", NOW - 5000)]
    events += [Event("3", "purchase", NOW - days * DAY_MS) for days in (10, 20, 30)]
    events += [Event("4", "purchase", NOW - 45 * DAY_MS)]
    return UserContext("u", {"age": "25-34", "income": "15.0", "hobbies": ["tea", "go"]}, events, NOW)
