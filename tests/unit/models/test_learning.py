"""The models learn, are replaceable by name, and go on where they were."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.features import FeatureEncoder, FeatureSchema, ItemTable, cross_names, rank_slots
from engine.features.feeds import CODES, CROSSES
from models.evaluation import auc, platt, recall_ndcg
from models.paddle import paddle
from models.rankers.deepfm import PiecewiseLinear
from models.registry import RANKERS, TOWERS, make_ranker, make_tower
from models.training.catalogue import build_schema
from models.training.config import QUICK, RankConfig, TowerConfig
from models.training.dataset import CatalogueEvents, PreparedData, load_prepared
from models.training.fitting import (
    Checkpoints,
    encode,
    fit,
    rank_batches,
    rank_logits,
    rank_steps,
    seed_everything,
    tensors,
    tower_batches,
)
from models.training.samples import RankSamples, TowerSamples, tower_samples
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit

TOWER = TowerConfig(embedding_dim=16, hidden=(16,), contexts_per_batch=32, random_negatives=32)
RANK = RankConfig(settings={"embedding_dim": 4, "hidden": (16,)}, batch_size=256)


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return load_prepared(write_prepared(tmp_path_factory.mktemp("tiny")))


@pytest.fixture(scope="module")
def shop(data: PreparedData) -> FeatureEncoder:
    schema = build_schema(data, data.records, QUICK)
    return FeatureEncoder(schema, ItemTable.from_records(schema, data.records, data.end))


@pytest.fixture(scope="module")
def contexts(data: PreparedData, shop: FeatureEncoder) -> TowerSamples:
    events = CatalogueEvents(data, data.events.item)
    return tower_samples(events, shop, data.begin, data.end, QUICK, np.random.default_rng(0))


def rank_rows(schema: FeatureSchema, count: int = 3000) -> RankSamples:
    """Rows whose label depends on the first dense feature alone."""
    rng = np.random.default_rng(1)
    dense = rng.random((count, len(cross_names(schema))), dtype=np.float32)
    sparse = rng.integers(0, rank_slots(schema), (count, len(rank_slots(schema)))).astype(np.int32)
    label = (rng.random(count) < dense[:, 0] ** 2).astype(np.float32)
    nothing = np.zeros(0, np.int64)
    feeds = {CODES: sparse, CROSSES: dense}
    return RankSamples(feeds, label, np.zeros(count, np.int32), nothing, nothing, nothing)


def test_the_towers_learn_who_takes_what(
    tmp_path: Path, shop: FeatureEncoder, contexts: TowerSamples
) -> None:
    seed_everything(3)
    tower = make_tower(shop.schema, TOWER)
    batches = tower_batches(tower, contexts, shop, TOWER)
    losses = fit("tower", tower, 5, 5e-3, 0.0, batches, 3, Checkpoints(tmp_path))
    assert losses[-1] < 0.8 * losses[0]


def test_vectors_of_both_towers_have_length_one(shop: FeatureEncoder, contexts: TowerSamples) -> None:
    tower = make_tower(shop.schema, TOWER)
    users = encode(tower.user, {name: values[:50] for name, values in contexts.feeds.items()})
    items = encode(tower.item, shop.item_tower(np.arange(len(shop.table))))
    for vectors in (users, items):
        np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)


def test_a_user_of_whom_nothing_is_known_has_a_vector(shop: FeatureEncoder, contexts: TowerSamples) -> None:
    tower = make_tower(shop.schema, TOWER)
    vector = encode(tower.user, {name: np.zeros_like(values[:1]) for name, values in contexts.feeds.items()})
    assert np.isfinite(vector).all()


def test_the_ranker_learns_what_the_label_depends_on(tmp_path: Path, shop: FeatureEncoder) -> None:
    samples = rank_rows(shop.schema)
    seed_everything(3)
    ranker = make_ranker(shop.schema, RANK)
    losses = fit("rank", ranker, 4, 1e-2, 0.0, rank_batches(ranker, samples, RANK), 3, Checkpoints(tmp_path))
    assert losses[-1] < 0.9 * losses[0]
    assert auc(rank_logits(ranker, samples), samples.label) > 0.7


def test_a_feature_that_training_never_saw_vary_changes_no_score(shop: FeatureEncoder) -> None:
    samples = rank_rows(shop.schema, 50)
    samples.feeds[CROSSES][:, 5] = 0.0
    ranker = make_ranker(shop.schema, RANK)
    ranker.fit_statistics(samples.feeds)
    before = rank_logits(ranker, samples)
    samples.feeds[CROSSES][:, 5] = 1.0
    np.testing.assert_array_equal(before, rank_logits(ranker, samples))


def test_an_interrupted_fit_ends_like_an_unbroken_one(tmp_path: Path, shop: FeatureEncoder) -> None:
    samples = rank_rows(shop.schema, 1000)

    def trained(folder: str, stops: list[int]) -> np.ndarray:
        for epochs in stops:
            seed_everything(3)
            ranker = make_ranker(shop.schema, RANK)
            batches = rank_batches(ranker, samples, RANK)
            fit("rank", ranker, epochs, 1e-2, 0.0, batches, 3, Checkpoints(tmp_path / folder))
        return rank_logits(ranker, samples)

    # Only the last epoch is at the lower rate, so an interruption is one before it.
    unbroken = trained("unbroken", [3])
    np.testing.assert_allclose(trained("again", [3, 3]), unbroken, atol=1e-6)
    broken = tmp_path / "broken"
    _interrupt_after_one_epoch(shop.schema, samples, broken)
    np.testing.assert_allclose(trained("broken", [3]), unbroken, atol=1e-6)


def _interrupt_after_one_epoch(schema: FeatureSchema, samples: RankSamples, folder: Path) -> None:
    seed_everything(3)
    ranker = make_ranker(schema, RANK)
    whole, calls = rank_batches(ranker, samples, RANK), []

    def batches(rng: np.random.Generator):  # type: ignore[no-untyped-def]
        calls.append(1)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return whole(rng)

    with pytest.raises(KeyboardInterrupt):
        fit("rank", ranker, 3, 1e-2, 0.0, batches, 3, Checkpoints(folder))


def test_models_are_found_by_name(shop: FeatureEncoder) -> None:
    assert isinstance(make_tower(shop.schema, TOWER), TOWERS["dssm"])  # type: ignore[arg-type]
    assert isinstance(make_ranker(shop.schema, RANK), RANKERS["deepfm"].make)  # type: ignore[arg-type]
    with pytest.raises(
        ValueError, match="deepfm has no setting 'depth'; it has: embedding_dim, hidden, dropout"
    ):
        make_ranker(shop.schema, replace(RANK, settings={"depth": 3}))
    with pytest.raises(ValueError, match="no ranker is called 'nosuch'; there are: deepfm, history_deepfm"):
        make_ranker(shop.schema, replace(RANK, name="nosuch"))


def test_equal_seeds_give_equal_models(shop: FeatureEncoder) -> None:
    states = []
    for _ in range(2):
        seed_everything(11)
        states.append(make_ranker(shop.schema, RANK).state_dict())
    assert all(paddle.equal_all(states[0][name], states[1][name]) for name in states[0])


def test_metrics_of_known_lists() -> None:
    assert recall_ndcg(np.array([1, 2, 3]), np.array([1, 2, 3]), 3) == (1.0, 1.0)
    recall, ndcg = recall_ndcg(np.array([9, 1]), np.array([1]), 2)
    assert recall == 1.0
    assert ndcg == pytest.approx(1 / np.log2(3))
    assert auc(np.array([0.1, 0.4, 0.35, 0.8]), np.array([0, 0, 1, 1])) == 0.75
    assert auc(np.ones(4), np.array([0, 1, 0, 1])) == 0.5


def test_calibration_finds_the_scale_of_the_logits() -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=20_000)
    label = rng.random(20_000) < 1 / (1 + np.exp(-(2.0 * logits - 1.0)))
    slope, intercept = platt(logits, label.astype(float))
    assert slope == pytest.approx(2.0, abs=0.1)
    assert intercept == pytest.approx(-1.0, abs=0.1)
    far_slope, far_intercept = platt(50.0 * logits + 400.0, label.astype(float))
    assert far_slope * 50.0 == pytest.approx(slope, rel=1e-3)
    assert far_intercept + far_slope * 400.0 == pytest.approx(intercept, rel=1e-2)
    assert platt(np.ones(5), np.array([0.0, 1.0, 0.0, 1.0, 1.0])) == (1.0, 0.0)


def test_calibrated_probabilities_are_true_of_all_rows_though_few_were_drawn(
    tmp_path: Path, shop: FeatureEncoder
) -> None:
    samples = rank_rows(shop.schema)
    few = replace(RANK, negatives=0.5)
    seed_everything(3)
    ranker = make_ranker(shop.schema, few)
    ranker.fit_statistics(samples.feeds)
    fit("rank", ranker, 3, 3e-3, 0.0, rank_batches(ranker, samples, few), 3, Checkpoints(tmp_path))
    logits = rank_logits(ranker, samples)
    slope, intercept = platt(logits, samples.label)
    true = samples.label.mean()
    assert (1.0 / (1.0 + np.exp(-logits))).mean() > 1.3 * true, "two of three rows it saw were taken"
    assert (1.0 / (1.0 + np.exp(-slope * logits - intercept))).mean() == pytest.approx(true, rel=0.02)
    assert rank_steps(samples, few) < rank_steps(samples, replace(few, negatives=9.0))


def test_an_items_own_id_is_read_only_if_the_configuration_says_so(shop: FeatureEncoder) -> None:
    samples, column = rank_rows(shop.schema, 50), len(shop.schema.user_slots)
    codes = samples.feeds[CODES].copy()
    codes[:, column] = np.roll(codes[:, column], 1)
    changed = replace(samples, feeds={**samples.feeds, CODES: codes})
    for item_ids in (False, True):
        ranker = make_ranker(shop.schema, replace(RANK, settings={**RANK.settings, "item_ids": item_ids}))
        same = np.array_equal(rank_logits(ranker, samples), rank_logits(ranker, changed))
        assert same is not item_ids


def test_a_numbers_vector_moves_in_a_line_within_an_interval_and_stands_still_beyond_the_last() -> None:
    numbers = PiecewiseLinear(2, intervals=4, dim=3)
    values = np.zeros((1000, 2), np.float32)
    values[:, 0] = np.linspace(0, 1, 1000) ** 2
    numbers.fit_intervals(values, np.array([True, False]))
    assert (numbers.slope.numpy()[1] == 0).all(), "a number that never varies has no interval"
    edges = np.sort(numbers.begin.numpy()[0])
    asked = np.array([edges[2], (edges[2] + edges[3]) / 2, edges[3], 1.0, 2.0], np.float32)
    _, vectors = numbers(paddle.to_tensor(np.stack([asked, asked], axis=1)))
    moved = vectors.numpy().reshape(-1, 2, 3)[:, 0]
    np.testing.assert_allclose(moved[1], (moved[0] + moved[2]) / 2, atol=1e-6)
    np.testing.assert_array_equal(moved[3], moved[4])
    assert not np.allclose(moved[2], moved[3])


def test_members_differ_and_the_score_is_their_mean(shop: FeatureEncoder) -> None:
    samples = rank_rows(shop.schema, 20)
    ranker = make_ranker(shop.schema, replace(RANK, settings={**RANK.settings, "members": 3}))
    ranker.eval()
    each = ranker.members(tensors(samples.feeds)).numpy()
    assert each.shape == (3, 20)
    assert np.abs(each[0] - each[1]).max() > 1e-3
    np.testing.assert_allclose(each.mean(axis=0), rank_logits(ranker, samples), atol=1e-5)
