"""A tiny prepared dataset in which new items come out all the time: each user takes those of one category."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from engine.features import DAY_MS

TOML = """
[dataset]
name = "launches"
title = "Launches"

[events]
positive = ["purchase"]

[[item_feature]]
name = "maker"
kind = "categorical"
buckets = 32
"""
START = 1_500_000_000_000 - 1_500_000_000_000 % DAY_MS
USERS, CATEGORIES, DAYS, OLD = 48, 8, 224, 40


def write_launches(folder: Path, seed: int = 3) -> Path:
    """Write the canonical tables to the folder and return it. Item n is of category n % 8; the first 40 are
    there from the beginning, then two come out a day from day 56 on; user u takes those of category u % 8."""
    rng = np.random.default_rng(seed)
    items = OLD + 2 * (DAYS - 56)
    rows = []
    for user in range(USERS):
        for day in range(0, DAYS, 7):
            item = int(rng.integers(0, OLD // CATEGORIES)) * CATEGORIES + user % CATEGORIES
            rows.append((f"u{user}", str(item), START + day * DAY_MS + user))
    for item in range(OLD, items):
        out = 56 + (item - OLD) // 2
        takers = [user for user in range(USERS) if user % CATEGORIES == item % CATEGORIES]
        for user in rng.choice(takers, 2, replace=False).tolist():
            rows.append((f"u{user}", str(item), START + out * DAY_MS + DAY_MS // 2 + user))
    rows.append(("u0", "0", START + DAYS * DAY_MS - 1))
    rows.sort(key=lambda row: row[2])
    users, taken, at = zip(*rows, strict=True)
    numbers = range(items + CATEGORIES)  # the last ones nobody ever takes
    tables = {
        "users": pa.table({"user_id": [f"u{user}" for user in range(USERS)]}),
        "items": pa.table(
            {
                "item_id": [str(n) for n in numbers],
                "title": [f"Item {n}" for n in numbers],
                "category_path": [["all", f"c{n % CATEGORIES}"] for n in numbers],
                "brand": ["b"] * len(numbers),
                "shop": pa.array([None] * len(numbers), pa.string()),
                "price": [1.0] * len(numbers),
                "available": [True] * len(numbers),
                "listed_at": pa.array([None] * len(numbers), pa.timestamp("ms")),
                "maker": [f"m{n % 5}" for n in numbers],
            }
        ),
        "events": pa.table(
            {
                "user_id": users,
                "item_id": taken,
                "type": ["purchase"] * len(rows),
                "at": pa.array(at, pa.timestamp("ms")),
                "value": [1.0] * len(rows),
            }
        ),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    (folder / "dataset.toml").write_text(TOML)
    return folder
