"""A folded ranker gives the probabilities of the network it was made from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine import kernels
from engine.dataset import dataset_of
from engine.features import FeatureSchema, cross_names, rank_slots
from engine.folded import FoldedRanker, first_layer_by_numpy
from models.layers import Calibrated
from models.paddle import paddle
from models.rankers.deepfm import DeepFm, DeepFmSettings

pytestmark = pytest.mark.unit

ROWS = 64
DATASET = {
    "dataset": {"name": "folded", "title": "Folded"},
    "user_feature": [{"name": "age", "buckets": 8}, {"name": "sex", "buckets": 4}],
}


@pytest.fixture(params=[1, 2], ids=["one member", "two members"])
def network(request: pytest.FixtureRequest) -> Calibrated:
    """A ranker with every parameter random, its intervals fitted to numbers with gaps and a constant one."""
    paddle.seed(7)
    schema = FeatureSchema.from_dataset(dataset_of(DATASET), category_levels=2, n_item_ids=40)
    config = DeepFmSettings(hidden=(24, 16), members=request.param, intervals=6)
    ranker = DeepFm(schema, config)
    for parameter in ranker.parameters():
        parameter.set_value(paddle.randn(parameter.shape) * 0.2)
    dense = numbers(500, len(cross_names(schema)), 1)
    dense[:, 3] = 0.5
    ranker.fit_statistics({"rank_dense": dense})
    network = Calibrated(ranker, 0.9, -1.2)
    network.eval()
    network.slots = rank_slots(schema)
    return network


def numbers(rows: int, columns: int, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    values = np.where(rng.random((rows, columns)) < 0.5, 0.0, rng.random((rows, columns)) ** 3)
    values[:, ::5] = np.round(values[:, ::5] * 4) / 4  # few values: intervals begin exactly there
    return values.astype(np.float32)


def feeds(network: Calibrated, shared: int) -> tuple[np.ndarray, np.ndarray]:
    """Codes whose first `shared` columns are equal in all rows, and numbers; the last is equal in all."""
    rng = np.random.default_rng(5)
    sparse = np.stack([rng.integers(0, buckets, ROWS) for buckets in network.slots], axis=1)
    sparse[:, :shared] = sparse[0, :shared]
    dense = numbers(ROWS, len(network.ranker.middle), 2)
    dense[:, -1] = dense[0, -1]
    dense[0], dense[1] = 0.0, 1.0
    return sparse, dense


@pytest.mark.parametrize("shared", [0, 2])
@pytest.mark.parametrize("compiled", [False, True], ids=["numpy", "compiled"])
def test_its_probabilities_are_the_networks(
    network: Calibrated, shared: int, compiled: bool, tmp_path: Path
) -> None:
    sparse, dense = feeds(network, shared)
    tensors = {"rank_sparse": paddle.to_tensor(sparse), "rank_dense": paddle.to_tensor(dense)}
    expected = network(tensors).numpy()
    network.ranker.fold(network.slope, network.intercept).save(tmp_path / "folded")
    folded = FoldedRanker.load(tmp_path / "folded")
    assert not compiled or kernels.load()
    try:
        for rows in (1, 2, ROWS):
            found = folded.probabilities(sparse[:rows], dense[:rows])
            assert (found.dtype, found.shape) == (np.float32, (rows,))
            np.testing.assert_allclose(found, expected[:rows], rtol=0, atol=2e-6)
    finally:
        kernels.unload()
    assert expected.std() > 0.05  # they differ from row to row


def test_the_compiled_first_layer_is_numpys(network: Calibrated) -> None:
    folded = network.ranker.fold(1.0, 0.0)
    sparse, dense = feeds(network, 2)
    width = folded.table.shape[1] - len(folded.base)
    arrays = (folded.offsets, folded.kept, folded.table, folded.base)
    pieces = (folded.breakpoints, folded.values, folded.slopes)
    assert kernels.load()
    compiled = kernels.loaded()
    kernels.unload()
    assert compiled is not None
    expected = first_layer_by_numpy(sparse, dense, *arrays, *pieces, width)
    found = compiled.first_layer(sparse, dense, *arrays, *pieces, width)
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one, other, rtol=2e-6, atol=2e-6)
