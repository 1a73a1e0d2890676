"""A tiny prepared dataset, made by seed: users who return to a few items of their own."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.features import DAY_MS

TOML = """
[dataset]
name = "tiny"
title = "Tiny"

[events]
positive = ["purchase"]

[[user_feature]]
name = "age"
kind = "categorical"
buckets = 16
"""
START = 1_500_000_000_000
USERS, ITEMS, DAYS = 60, 80, 120


def write_prepared(folder: Path, seed: int = 3) -> Path:
    """Write the canonical tables to the folder and return it."""
    rng = np.random.default_rng(seed)
    rows = []
    for user in range(USERS):
        own = rng.choice(ITEMS, 6, replace=False)
        for day in np.sort(rng.choice(DAYS * 24, 30, replace=False)):
            item = int(rng.choice(own)) if rng.random() < 0.8 else int(rng.integers(0, ITEMS))
            at = START + int(day) * DAY_MS // 24
            rows.append((f"u{user}", f"{item}", "view", at - 60_000))
            rows.append((f"u{user}", f"{item}", "purchase", at))
    rows.append(("u0", "not in the catalogue", "purchase", START + DAY_MS))
    rows.sort(key=lambda row: row[3])
    users, items, kinds, at = zip(*rows, strict=True)
    moments = pa.array(at, pa.timestamp("ms"))
    names = [f"u{user}" for user in range(USERS)]
    ages = [None if user % 5 == 0 else str(user % 4) for user in range(USERS)]
    numbers = range(ITEMS)
    tables = {
        "users": pa.table({"user_id": names, "age": pa.array(ages, pa.string())}),
        "items": pa.table(
            {
                "item_id": [str(n) for n in numbers],
                "title": [f"Item {n}" for n in numbers],
                "category_path": [["all", f"c{n % 8}"] for n in numbers],
                "brand": [None if n % 7 == 0 else f"b{n % 5}" for n in numbers],
                "shop": pa.array([None] * ITEMS, pa.string()),
                "price": [None if n % 9 == 0 else 1.0 + n for n in numbers],
                "available": [True] * ITEMS,
                "listed_at": pa.array([None] * ITEMS, pa.timestamp("ms")),
            }
        ),
        "events": pa.table(
            {"user_id": users, "item_id": items, "type": kinds, "at": moments, "value": [1.0] * len(rows)}
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "dataset.toml").write_text(TOML)
    return folder
