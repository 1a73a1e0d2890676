"""The tiny release with items that nobody has bought yet, and a model that knows only variety: who took of a
group likes its new items."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from engine.features import encode_items
from engine.recall.new_items import EVIDENCE, Bins, NewItemModel, group_keys
from engine.recall.new_items_store import write_new_items
from engine.release import Release, ReleaseWriter
from tests.support.releases import records, write_release


def fresh_record(number: int, category: int, **more: Any) -> dict[str, Any]:
    """A new item, of the same categories as the tiny release's."""
    return {
        "sku_id": f"n{number}",
        "title": f"New {number}",
        "category_path": [f"department{category % 3}", f"leaf{category}"],
        "brand": f"brand{category}",
        "shopid": "shop",
        "price": 5.0,
        "available": True,
        "listed_at": None,
        **more,
    }


FRESH = [*(fresh_record(n, n) for n in range(6)), fresh_record(6, 1, available=False, price=70.0)]


def write_fresh_release(artifacts: Path) -> Path:
    """Write it into the folder `artifacts`; returns its own folder. n3 is the new item for everybody."""
    folder = write_release(artifacts / "plain", others=FRESH)
    plain = Release.load(folder)
    _, features, _ = encode_items(plain.schema, [*records(), *FRESH])
    keys = group_keys(plain.schema, features)
    bins = Bins.of(keys)
    found = bins.find(keys)
    weights = np.zeros((len(EVIDENCE), keys.shape[1]), np.float32)
    weights[EVIDENCE.index("variety")] = 1.0
    prior = np.zeros(len(bins), np.float32)
    known = len(records())
    prior[found[known + 3]] = 0.01
    launched = np.full(known, np.inf, np.float32)
    model = NewItemModel(bins, weights, prior, found[:known].astype(np.int32), launched)
    with ReleaseWriter(artifacts, "tiny-20240102T000000Z") as writer:
        for path in (path for path in folder.rglob("*") if path.is_file() and path.name != "manifest.json"):
            target = writer.path / path.relative_to(folder)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
        ids = [str(record["sku_id"]) for record in records()]
        write_new_items(writer, model, ids, FRESH, np.zeros((len(FRESH), 8), np.float32))
        kept = {name: value for name, value in plain.manifest.items() if name not in ("files", "release")}
        return writer.publish(kept)
