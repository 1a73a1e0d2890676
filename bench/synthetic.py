"""A release of any size, drawn with a seed: real formats and real, untrained networks over made-up items."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from bench.scale import END, contexts
from engine.dataset import dataset_of
from engine.features import STATS, FeatureEncoder, FeatureSchema, ItemTable
from engine.features.context import DAY_MS
from engine.features.cross import cross_names
from engine.features.encoder import rank_slots
from engine.folded import FOLDER
from engine.recall.segments import Segments
from engine.release import SCHEMA, Channels, ReleaseWriter
from models.layers import Calibrated
from models.rankers.deepfm import DeepFm, DeepFmSettings
from models.towers.dssm import Dssm
from models.training.config import QUICK
from models.training.export import export_folded, export_network

DIM, NEIGHBOURS, LISTED = 64, 100, 1_000
MOST_IDS = 100_000  # items with an embedding of their own: more would only make the tower's file larger
_DATASET = {
    "dataset": {"name": "synthetic", "title": "Synthetic"},
    "events": {"positive": ["purchase"]},
    "user_feature": [{"name": f"feature_{number}", "buckets": 16} for number in range(7)],
}


def write_release(artifacts: Path, items: int, seed: int) -> Path:
    """Write a release of so many items; returns its folder.

    Items have random features, prices, statistics, neighbours and vectors of length 1; 20 departments, 300
    categories, 2,000 leaves, 900 brands.
    """
    rng = np.random.default_rng(seed)
    sizes = {"category_1": 20, "category_2": 300, "category_3": 2_000, "brand": 900}
    schema = FeatureSchema.from_dataset(
        dataset_of(_DATASET), cardinalities=sizes, n_item_ids=min(items, MOST_IDS)
    )
    table = _table(schema, items, rng)
    vectors = rng.standard_normal((items, DIM), np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    with ReleaseWriter(artifacts, "synthetic-20240101T000000Z") as writer:
        writer.text(SCHEMA, schema.to_json())
        writer.text("dataset.toml", '[dataset]\nname = "synthetic"\n')
        writer.text("item_ids.txt", "".join(f"{item}\n" for item in table.ids))
        writer.catalogue([_record(row, table.prices[row]) for row in range(items)])
        listed = [(table.ids[row], 1.0 / (1 + place)) for place, row in enumerate(range(min(LISTED, items)))]
        writer.text(
            "channels.json", Channels(popular=listed, trending=listed, new=listed, segments={}).to_json()
        )
        writer.segments(_segments(items, rng))
        writer.array("item_features.npy", table.features)
        writer.array("item_prices.npy", table.prices)
        writer.array("item_stats.npy", table.stats)
        writer.array("item_vectors.npy", vectors)
        if table.neighbours is not None and table.neighbour_scores is not None:
            writer.array("neighbours.npy", table.neighbours)
            writer.array("neighbour_scores.npy", table.neighbour_scores)
        models = _export(schema, table, rng, writer.path)
        return writer.publish(
            {
                "dataset": "synthetic",
                "models": models,
                "fingerprint": schema.fingerprint(),
                "embedding_dim": DIM,
                "n_items": items,
                "data_window": {"start": END - 365 * DAY_MS, "end": END},
            }
        )


def _table(schema: FeatureSchema, items: int, rng: np.random.Generator) -> ItemTable:
    features = np.stack([rng.integers(1, slot.buckets, items) for slot in schema.item_slots], axis=1)
    features[:, 0] = np.arange(1, items + 1)
    features[schema.n_item_ids :, 0] = 0
    return ItemTable(
        schema,
        [str(row) for row in range(items)],
        np.ascontiguousarray(features, np.int64),
        rng.lognormal(1.5, 1.0, items).astype(np.float32),
        rng.random((items, len(STATS)), np.float32),
        END,
        rng.integers(0, items, (items, NEIGHBOURS), np.int32),
        np.sort(rng.random((items, NEIGHBOURS), np.float32), axis=1)[:, ::-1],
    )


def _record(row: int, price: float) -> dict[str, object]:
    path = [f"department {row % 20}", f"category {row % 300}", f"leaf {row % 2_000}"]
    brand = f"brand {row % 900}"
    return {
        "sku_id": str(row), "title": f"Item {row}", "brand": brand, "category_path": path, "cate": path[-1],
        "shopid": "shop", "price": float(price), "available": True, "listed_at": None,
    }  # fmt: skip


def _segments(items: int, rng: np.random.Generator) -> Segments:
    names = tuple(f"feature_0={value}" for value in range(5))
    rows = np.arange(min(items, 5_000))
    effects, lifts = (rng.random((len(names), len(rows)), np.float32) for _ in range(2))
    return Segments(names, rows, rng.random(len(rows), np.float32), effects, lifts)


def _export(
    schema: FeatureSchema, table: ItemTable, rng: np.random.Generator, folder: Path
) -> dict[str, object]:
    encoder = FeatureEncoder(schema, table)
    samples = contexts(len(table), 4, 10, 60, 3)
    towers = [encoder.user_tower(context) for context in samples]
    user = {name: np.concatenate([feeds[name] for feeds in towers]) for name in towers[0]}
    sparse = np.stack([rng.integers(0, buckets, 256) for buckets in rank_slots(schema)], axis=1)
    dense = rng.random((256, len(cross_names(schema))), np.float32)
    tower, ranker = Dssm(schema, QUICK.tower), DeepFm(schema, DeepFmSettings())
    rank: dict[str, np.ndarray] = {"rank_sparse": sparse, "rank_dense": dense}
    ranker.fit_statistics(rank)
    models: dict[str, object] = {
        "user_tower": export_network(tower.user, user, folder / "user_tower", "user_vector"),
        "item_tower": export_network(
            tower.item, dict(encoder.item_tower(np.arange(64))), folder / "item_tower", "item_vector"
        ),
        "rank": export_network(Calibrated(ranker, 1.0, 0.0), rank, folder / "rank", "probability"),
    }
    export_folded(Calibrated(ranker, 1.0, 0.0), ranker.fold(1.0, 0.0), rank, folder / "rank" / FOLDER)
    return models
