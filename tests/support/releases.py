"""A small release on disk, with networks that run: enough for recall and rank to be tested without training.

300 items in 12 leaf categories of 3 departments; an item's vector is its category's direction and some noise,
so whoever took items of a category is near its others. The user tower adds up the items of the history and an
embedding of the profile; the ranker is logistic in the user-item features, with a bias for each item.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from engine.dataset import dataset_of
from engine.features import STATS, FeatureSchema, ItemTable, cross_names
from engine.recall.content import ContentNeighbours
from engine.recall.content_store import write_content
from engine.recall.segments import Segments
from engine.release import Channels, ReleaseWriter
from models.training.content_fit import fit_content

N_ITEMS, DIM, NEIGHBOURS = 300, 8, 12
DATA_END = 1_700_000_000_000
DATASET: dict[str, Any] = {
    "dataset": {"name": "tiny", "title": "Tiny", "synthetic": True},
    "events": {"positive": ["purchase"]},
    "user_feature": [
        {"name": "age", "kind": "categorical", "buckets": 16},
        {"name": "sex", "kind": "categorical", "buckets": 8},
    ],
}


def item_id(row: int) -> str:
    """The id of an item of the tiny release."""
    return f"i{row}"


def leaf(row: int) -> str:
    """The leaf category of an item of the tiny release."""
    return f"leaf{row % 12}"


def records() -> list[dict[str, Any]]:
    """The catalogue, in the Redis form. Item i7 has no price; i290 … i299 cannot be bought."""
    return [
        {
            "sku_id": item_id(row),
            "title": f"Item {row}",
            "category_path": [f"department{row % 3}", leaf(row)],
            "cate": leaf(row),
            "brand": f"brand{row % 7}",
            "shopid": "shop",
            "price": None if row == 7 else float(1 + row % 50),
            "available": row < 290,
            "listed_at": None,
        }
        for row in range(N_ITEMS)
    ]


Exporter = Callable[[Path, FeatureSchema, ItemTable], dict[str, Any]]
"""Writes a ranker's files into a release's folder and returns the manifest's entry for it."""


def write_release(
    artifacts: Path,
    name: str = "tiny-20240101T000000Z",
    seed: int = 5,
    export_ranker: Exporter | None = None,
    popularity: Mapping[int, float] | None = None,
    others: Sequence[Mapping[str, Any]] | None = None,
) -> Path:
    """Write the tiny release into the folder `artifacts`; returns its own folder.

    Args:
        export_ranker: another ranker in the place of the logistic one, which is ONNX only.
        popularity: of the last 90 days, by row; 0 for the others.
        others: items of the data that are not in the release; given, it says which are alike in writing.
    """
    rng = np.random.default_rng(seed)
    schema = FeatureSchema.from_dataset(
        dataset_of(DATASET), category_levels=2, n_item_ids=N_ITEMS, sequence_length=16
    )
    table = ItemTable.from_records(schema, records(), DATA_END)
    for row, value in (popularity or {}).items():
        table.stats[row, STATS.index("popularity_90d")] = value
    centres = rng.standard_normal((12, DIM))
    vectors = centres[np.arange(N_ITEMS) % 12] + 0.5 * rng.standard_normal((N_ITEMS, DIM))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    closeness = vectors @ vectors.T
    np.fill_diagonal(closeness, -2)
    neighbours = np.argsort(-closeness, axis=1)[:, :NEIGHBOURS].astype(np.int32)
    scores = np.take_along_axis(closeness, neighbours, axis=1).clip(0.01).astype(np.float32)
    order = rng.permutation(N_ITEMS)
    with ReleaseWriter(artifacts, name) as writer:
        writer.text("features.json", schema.to_json())
        writer.text("dataset.toml", '[dataset]\nname = "tiny"\n')
        writer.text("item_ids.txt", "\n".join(table.ids) + "\n")
        channels = _channels(order)
        writer.text("channels.json", channels.to_json())
        writer.segments(_segments(channels, table))
        writer.catalogue(records())
        for part, values in {
            "item_features": table.features,
            "item_prices": table.prices,
            "item_stats": table.stats,
            "item_vectors": vectors,
            "neighbours": neighbours,
            "neighbour_scores": scores,
        }.items():
            writer.array(f"{part}.npy", values)
        if others is not None:
            write_content(writer, _content(others, schema.seed))
        networks = {
            "user_tower": user_tower(schema, vectors, rng),
            "item_tower": user_tower(schema, vectors, rng),  # never run by the services
            "rank": ranker(schema, rng),
        }
        models: dict[str, Any] = {}
        if export_ranker is not None:
            del networks["rank"]
            models["rank"] = export_ranker(writer.path, schema, table)
        for network, model in networks.items():
            (writer.path / network).mkdir()
            onnx.save(model, str(writer.path / network / "model.onnx"))
            writer.text(f"{network}/model.json", "{}")
            writer.text(f"{network}/model.pdiparams", "none: the tests run ONNX")
        return writer.publish(
            {
                "dataset": "tiny",
                "models": models,
                "fingerprint": schema.fingerprint(),
                "embedding_dim": DIM,
                "n_items": N_ITEMS,
                "data_window": {"start": DATA_END - 86_400_000, "end": DATA_END},
            }
        )


def user_tower(schema: FeatureSchema, vectors: np.ndarray, rng: np.random.Generator) -> onnx.ModelProto:
    """normalise(sum of the history's item vectors by weight + the profile's embedding)."""
    items = np.vstack([np.zeros((1, DIM)), vectors]).astype(np.float32)
    profile = rng.standard_normal((16, DIM)).astype(np.float32) * 0.3
    profile[0] = 0
    length, fields = schema.sequence_length, len(schema.user_slots)
    nodes = [
        helper.make_node("Gather", ["items", "sequence_items"], ["taken"]),  # [B, L, D]
        helper.make_node("ReduceSum", ["sequence_weights", "last"], ["weight"], keepdims=1),  # [B, L, 1]
        helper.make_node("Mul", ["taken", "weight"], ["weighted"]),
        helper.make_node("ReduceSum", ["weighted", "middle"], ["history"], keepdims=0),  # [B, D]
        helper.make_node("Gather", ["profile", "user_sparse"], ["embedded"]),  # [B, Fu, D]
        helper.make_node("ReduceSum", ["embedded", "middle"], ["who"], keepdims=0),
        helper.make_node("ReduceSum", ["user_dense", "last"], ["activity"], keepdims=1),  # [B, 1]
        helper.make_node("Mul", ["activity", "nothing"], ["unused"]),
        helper.make_node("Add", ["history", "who"], ["summed"]),
        helper.make_node("Add", ["summed", "unused"], ["vector"]),
        helper.make_node("LpNormalization", ["vector"], ["user_vector"], axis=1, p=2),
    ]
    feeds = [
        ("user_sparse", TensorProto.INT64, [None, fields]),
        ("user_dense", TensorProto.FLOAT, [None, 3]),
        ("sequence_items", TensorProto.INT64, [None, length]),
        ("sequence_weights", TensorProto.FLOAT, [None, length, 2]),
    ]
    constants = {
        "items": items,
        "profile": profile,
        "last": np.array([-1], np.int64),
        "middle": np.array([1], np.int64),
        "nothing": np.zeros(1, np.float32),
    }
    return _model(nodes, feeds, ("user_vector", [None, DIM]), constants)


def ranker(schema: FeatureSchema, rng: np.random.Generator) -> onnx.ModelProto:
    """sigmoid(weights · rank_dense + bias of the item)."""
    width = len(cross_names(schema))
    column = len(schema.user_slots)  # of the item's own code in rank_sparse
    nodes = [
        helper.make_node("MatMul", ["rank_dense", "weights"], ["logit"]),  # [B, 1]
        helper.make_node("Gather", ["rank_sparse", "column"], ["codes"], axis=1),  # [B]
        helper.make_node("Gather", ["biases", "codes"], ["bias"]),  # [B, 1]
        helper.make_node("Add", ["logit", "bias"], ["sum"]),
        helper.make_node("Sigmoid", ["sum"], ["probability"]),
    ]
    sparse = len(schema.user_slots) + len(schema.item_slots)
    feeds = [
        ("rank_sparse", TensorProto.INT64, [None, sparse]),
        ("rank_dense", TensorProto.FLOAT, [None, width]),
    ]
    constants = {
        "weights": rng.uniform(0, 0.8, (width, 1)).astype(np.float32),
        "biases": rng.uniform(-3, -2, (N_ITEMS + 1, 1)).astype(np.float32),
        "column": np.array(column, np.int64),
    }
    return _model(nodes, feeds, ("probability", [None, 1]), constants)


def _content(others: Sequence[Mapping[str, Any]], seed: int) -> ContentNeighbours:
    popularity = np.zeros(N_ITEMS, np.float32)
    found = fit_content([*records(), *others], np.arange(N_ITEMS), popularity, seed)
    assert found is not None
    return found


def _channels(order: Sequence[int]) -> Channels:
    def listed(rows: Sequence[int]) -> list[tuple[str, float]]:
        return [(item_id(int(row)), 1.0 - place / N_ITEMS) for place, row in enumerate(rows)]

    return Channels(
        popular=listed(order[:200]),
        trending=listed(order[100:160]),
        new=listed(order[200:240]),
        segments={f"age={age}": listed(np.roll(order, -40 * age)[:60]) for age in range(1, 5)},
    )


def _segments(channels: Channels, table: ItemTable) -> Segments:
    """Segments that add up what their lists say; each item is popular where it is listed."""
    effects = np.zeros((len(channels.segments), N_ITEMS), np.float32)  # [S, N]
    for place, listed in enumerate(channels.segments.values()):
        effects[place, table.row_of(item for item, _ in listed)] = [score for _, score in listed]
    lifts = np.where(effects > 0, np.float32(2), np.float32(0))
    base = np.zeros(N_ITEMS, np.float32)
    return Segments(tuple(channels.segments), np.arange(N_ITEMS), base, effects, lifts)


def _model(
    nodes: list[Any],
    feeds: list[tuple[str, int, list[int | None]]],
    output: tuple[str, list[int | None]],
    constants: dict[str, np.ndarray],
) -> onnx.ModelProto:
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, kind, shape) for name, kind, shape in feeds],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        [numpy_helper.from_array(values, name) for name, values in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])
    model.ir_version = 8
    onnx.checker.check_model(model)
    return model
