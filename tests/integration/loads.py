"""A tiny prepared dataset, and loading it into Redis."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from scripts import to_redis
from services.common.redis import connect
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.user.service import UserService
from services.user.store import RedisUserStore

T = 2.0

DATASET = """
[dataset]
name = "tiny"
title = "Tiny"
synthetic = true
notice = "Made for a test."
currency = "USD"
user_noun = "shopper"

[events]
positive = ["purchase"]

[[user_feature]]
name = "age"
kind = "categorical"
display = { en = "Age" }

[[user_feature]]
name = "visits"
kind = "number"
display = { en = "Visits" }
"""


def prepared(
    folder: Path,
    *,
    n_items: int = 20,
    brand: str = "v1",
    gone: Sequence[str] = (),
    prices: float | None = 1.5,
) -> Path:
    """A prepared dataset with users u0, u1 and items i0 …; `gone` are not available."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(DATASET, "utf-8")
    pq.write_table(pa.table({"user_id": ["u0", "u1"], "age": ["5.0", None], "visits": [3.0, None]}),
                   folder / "users.parquet")  # fmt: skip
    ids = [f"i{number}" for number in range(n_items)]
    items = {
        "item_id": ids,
        "title": [f"Item {name}" for name in ids],
        "category_path": [["Grocery", "Tea"]] * n_items,
        "brand": [brand] * n_items,
        "shop": ["7"] * n_items,
        "price": pa.array([prices] * n_items, pa.float64()),
        "available": [name not in gone for name in ids],
        "listed_at": pa.array([None] * n_items, pa.timestamp("ms")),
        **{name: pa.nulls(n_items, pa.string()) for name in ("description", "url", "variant_of")},
        "image_url": [f"https://img.example/{name}.jpg" for name in ids],
    }
    pq.write_table(pa.table(items), folder / "items.parquet")
    events = [("u0", "i1", "purchase", 1000), ("u1", "i2", "view", 2000), ("u0", "i3", "purchase", 3000)]
    events += [("u0", "i4", "returned", 3000)]
    columns = {
        "user_id": [event[0] for event in events],
        "item_id": [event[1] for event in events],
        "type": [event[2] for event in events],
        "at": pa.array([event[3] for event in events], pa.timestamp("ms")),
        "value": pa.array([1.0] * len(events), pa.float32()),
    }
    pq.write_table(pa.table(columns), folder / "events.parquet")
    return folder


def load(url: str, *arguments: str | Path) -> int:
    return to_redis.main(["--redis", url, *map(str, arguments)])


def items_at(url: str) -> ItemService:
    return ItemService(RedisItemStore(connect(url)))


def users_at(url: str) -> UserService:
    return UserService(RedisUserStore(connect(url)))
