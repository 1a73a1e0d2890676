"""Compiled kernels and a folded ranker give the pages that numpy and ONNX Runtime give."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine import kernels
from engine.features import Event, FeatureSchema, ItemTable, UserContext, cross_names, rank_slots
from engine.features.context import DAY_MS
from engine.folded import FOLDER
from engine.predictor import BadFeeds, PredictorUnavailable
from engine.release import Release
from engine.types import RecommendQuery
from models.layers import Calibrated
from models.paddle import paddle
from models.rankers.deepfm import DeepFm, DeepFmSettings
from models.training.export import export_folded, export_network
from services.adapters.by_url import open_predictor
from services.adapters.folded import FoldedPredictor
from services.adapters.onnx import OnnxPredictor
from tests.support.releases import DATA_END, N_ITEMS, item_id, write_release
from tests.support.request_path import real_path

pytestmark = pytest.mark.unit

SHOPPERS = 12


def export_deepfm(folder: Path, schema: FeatureSchema, table: ItemTable) -> dict[str, Any]:
    """An untrained DeepFM as the exporter writes one, folded too."""
    paddle.seed(3)
    ranker = DeepFm(schema, DeepFmSettings(hidden=(32, 16), intervals=8))
    for parameter in ranker.parameters():
        parameter.set_value(paddle.randn(parameter.shape) * 0.3)
    rng = np.random.default_rng(2)
    dense = rng.random((400, len(cross_names(schema))), np.float32) ** 2
    sparse = np.stack([rng.integers(0, buckets, 400) for buckets in rank_slots(schema)], axis=1)
    sample = {"rank_sparse": sparse, "rank_dense": dense}
    ranker.fit_statistics(sample)
    entry = export_network(Calibrated(ranker, 1.0, -1.0), sample, folder / "rank", "probability")
    folded = ranker.fold(1.0, -1.0)
    entry["max_difference"]["folded"] = export_folded(
        Calibrated(ranker, 1.0, -1.0), folded, sample, folder / "rank" / FOLDER
    )
    return entry


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"), export_ranker=export_deepfm)


@pytest.fixture(autouse=True)
def numpy_again() -> Iterator[None]:
    yield
    kernels.unload()


def pages(folder: Path, compiled: bool) -> list[list[tuple[str, float, Any, Any]]]:
    """What some shoppers are shown: ids, scores, channels and reasons."""
    assert kernels.load() if compiled else not kernels.unload()
    predictor = open_predictor("onnx://", folder, folder.name)
    assert isinstance(predictor, FoldedPredictor if compiled else OnnxPredictor)
    path = real_path(folder, predictor=predictor)
    rng = np.random.default_rng(8)
    answers = []
    for number in range(SHOPPERS):
        count = (0, 1, 5, 40, 300)[number % 5]
        rows = rng.integers(0, N_ITEMS, count).tolist()
        kinds = rng.choice(["purchase", "view", "cart", "dislike"], count, p=[0.7, 0.15, 0.1, 0.05]).tolist()
        moments = (DATA_END - np.sort(rng.integers(1, 300 * DAY_MS, count))).tolist()
        events = [Event(item_id(row), kind, at) for row, kind, at in zip(rows, kinds, moments, strict=True)]
        path.users.add(f"u{number}", events, age=str(number % 4))
        answer = path.recommend.recommend(RecommendQuery(user_id=f"u{number}", page_size=30), 5.0)
        assert not answer.degraded
        answers.append([(one.item_id, one.score, one.channels, one.reason) for one in answer.items])
    return answers


def test_pages_are_the_same(folder: Path) -> None:
    by_numpy, compiled = pages(folder, compiled=False), pages(folder, compiled=True)
    assert len({page[0][0] for page in by_numpy}) > 3  # the shoppers differ
    for expected, found in zip(by_numpy, compiled, strict=True):
        assert len(expected) == 30
        assert [one[::2] for one in found] == [one[::2] for one in expected]
        assert [one[3] for one in found] == [one[3] for one in expected]
        np.testing.assert_allclose([one[1] for one in found], [one[1] for one in expected], atol=1e-6)


def test_a_folded_ranker_refuses_what_does_not_fit(folder: Path) -> None:
    assert kernels.load()
    release = Release.load(folder)
    predictor = open_predictor("onnx://", folder, release.name)
    feeds = release.encoder.rank(UserContext("", {}, (), DATA_END), np.arange(5))
    assert predictor.predict(feeds, 1.0).shape == (5,)
    sparse, dense = feeds["rank_sparse"], feeds["rank_dense"]
    beyond = sparse.copy()
    beyond[0, -1] = 10_000_000
    for wrong in (
        {"rank_sparse": sparse},
        {"rank_sparse": sparse[:, 1:], "rank_dense": dense},
        {"rank_sparse": sparse.astype(np.int32), "rank_dense": dense},
        {"rank_sparse": beyond, "rank_dense": dense},
        {"rank_sparse": sparse[:2], "rank_dense": dense},
    ):
        with pytest.raises(BadFeeds):
            predictor.predict(wrong, 1.0)
    predictor.close()
    with pytest.raises(PredictorUnavailable):
        predictor.predict(feeds, 1.0)


def test_a_folded_ranker_that_cannot_be_read_is_unavailable(tmp_path: Path) -> None:
    with pytest.raises(PredictorUnavailable, match="cannot load"):
        FoldedPredictor(tmp_path, "any").open()
