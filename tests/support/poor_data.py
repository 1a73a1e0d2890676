"""Canonical tables of a small shop of which parts are not known, as real shops' files have them or not."""

from __future__ import annotations

import json
from collections.abc import Collection
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS, items_schema, users_schema
from data.dataset import load_dataset
from engine.features import DAY_MS

START = 1_500_000_000_000
PARTS = ("profiles", "features", "titles", "categories", "brands", "prices", "types", "times")
"""What can be left out: user features, item features of the shop's own, titles, categories, brands, prices,
event types (all are purchases then), times (all events are of one moment then)."""

TOML = """
[dataset]
name = "poor"
title = "Poor"

[events]
positive = ["purchase"]
"""
USER_FEATURE = """
[[user_feature]]
name = "age"
kind = "categorical"
buckets = 16
"""
ITEM_FEATURE = """
[[item_feature]]
name = "maker"
kind = "categorical"
buckets = 32
"""


def write_poor(
    folder: Path,
    without: Collection[str] = PARTS,
    *,
    events: int = 600,
    users: int = 40,
    items: int = 48,
    days: float = 90,
    kind: str = "purchase",
    guests: bool = False,
    late: bool = False,
    ordered: bool = False,
    seed: int = 3,
) -> Path:
    """Write canonical tables without some ``PARTS`` and return the folder. User u takes items of category
    u % 4 mostly; item n is of category n % 4.

    ``kind``: the type of events where types are left out; ``guests``: each user comes once; ``late``: nothing
    but views in the first half; ``ordered``: where times are left out, a millisecond lies between two events.
    """
    rng = np.random.default_rng(seed)
    at = np.sort(rng.integers(0, max(int(days * DAY_MS), 1), events)) + START
    if "times" in without:
        at[:] = START + (np.arange(events) if ordered else 0)
    who = rng.permutation(users)[:events] if guests else rng.integers(0, users, events)
    taste = np.where(rng.random(events) < 0.8, who % 4, rng.integers(0, 4, events))
    what = rng.integers(0, -(-items // 4), events) * 4 + taste
    what %= items
    kinds = np.where(rng.random(events) < 0.6, "purchase", "view")
    if "types" in without:
        kinds[:] = kind
    if late:
        kinds[: events // 2] = "view"
    numbers = range(items)

    def known(part: str, values: list[object]) -> list[object]:
        return [None] * items if part in without else values

    tables = {
        "users": {"user_id": [f"u{user}" for user in range(users)]},
        "items": {
            "item_id": [str(n) for n in numbers],
            "title": [f"Product {n}" if "titles" in without else f"Thing {n}" for n in numbers],
            "category_path": [[] if "categories" in without else ["all", f"c{n % 4}"] for n in numbers],
            "brand": known("brands", [f"b{n % 5}" for n in numbers]),
            "price": known("prices", [1.0 + n for n in numbers]),
            "available": [True] * items,
        },
        "events": {
            "user_id": [f"u{user}" for user in who.tolist()],
            "item_id": [str(item) for item in what.tolist()],
            "type": kinds.tolist(),
            "at": at.tolist(),
            "value": [1.0] * events,
        },
    }
    text = TOML
    if "profiles" not in without:
        tables["users"]["age"] = [str(user % 4) for user in range(users)]
        text += USER_FEATURE
    if "features" not in without:
        tables["items"]["maker"] = [f"m{n % 5}" for n in numbers]
        text += ITEM_FEATURE
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(text, "utf-8")
    dataset = load_dataset(folder / "dataset.toml")
    schemas = {"users": users_schema(dataset), "items": items_schema(dataset), "events": EVENTS}
    for name, schema in schemas.items():
        rows = len(next(iter(tables[name].values())))
        columns = {field.name: tables[name].get(field.name, [None] * rows) for field in schema}
        pq.write_table(pa.table(columns, schema), folder / f"{name}.parquet")
    (folder / "report.json").write_text(json.dumps({"fingerprint": f"{sorted(without)}"}), "utf-8")
    return folder
