"""Shoppers without a history: what they are served, what the networks learn of them, how it is measured."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.features import DAY_MS, FeatureEncoder, ItemTable, UserContext, cross_names
from engine.features.feeds import CROSSES
from engine.rank import blend
from models.evaluation.cold import hold_out
from models.registry import make_tower
from models.training.catalogue import build_schema, purchases_before
from models.training.config import QUICK, TrainConfig
from models.training.dataset import CatalogueEvents, DataFault, PreparedData, load_prepared
from models.training.moment import knowledge_at
from models.training.new_shoppers import encode_new, new_shopper_samples
from models.training.samples import tower_samples
from tests.unit.models.prepared import ITEMS, write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> PreparedData:
    return load_prepared(write_prepared(tmp_path_factory.mktemp("tiny")))


def test_the_order_lies_between_what_suits_the_profile_and_the_ranker() -> None:
    scores = np.array([0.1, 0.2, 0.3, 0.9])
    assert blend(scores, 1.0).tolist() == [0, 1, 2, 3]
    assert blend(scores, 0.0).tolist() == [3, 2, 1, 0]
    assert blend(scores, 0.75).tolist()[0] == 0


def everybody_new(share: float) -> TrainConfig:
    return replace(
        QUICK,
        tower=replace(QUICK.tower, new_shoppers=share),
        rank=replace(QUICK.rank, new_shoppers=share),
    )


def test_the_tower_sees_users_with_a_profile_without_their_history(data: PreparedData) -> None:
    base = ItemTable.from_records(build_schema(data, data.records, QUICK), data.records, data.end)
    events = CatalogueEvents(data, data.events.item)
    config = everybody_new(1.0)
    encoder = FeatureEncoder(base.schema, base)
    samples = tower_samples(events, encoder, data.begin, data.end, config, np.random.default_rng(1))
    profile, items = (np.asarray(samples.feeds[n], np.int64) for n in ("user_sparse", "sequence_items"))
    told, history = profile[:, 0] > 0, (items > 0).sum(axis=1) > 0
    assert told.any()
    assert not history[told].any()
    assert history[~told].mean() > 0.5
    assert (samples.positives[told] >= 0).any(axis=1).all()


def test_the_ranker_sees_new_shoppers_as_they_are_served(data: PreparedData) -> None:
    base = ItemTable.from_records(build_schema(data, data.records, QUICK), data.records, data.end)
    events, config = CatalogueEvents(data, data.events.item), everybody_new(1.0)
    begin = data.end - 20 * DAY_MS
    moment = knowledge_at(
        base, purchases_before(events, len(base), begin), data.profiles, np.full(len(base), np.nan), config
    )
    encoder, tower = FeatureEncoder(base.schema, moment.table), make_tower(base.schema, config.tower)
    vectors = np.eye(ITEMS, config.tower.embedding_dim, dtype=np.float32)
    snapshot = moment.snapshot(vectors, 200)
    window, rng = (begin, data.end), np.random.default_rng(1)
    samples = new_shopper_samples(events, encoder, snapshot, tower, window, config, rng)
    assert samples is not None
    user = int(samples.user[0])
    assert all(data.profiles[one] for one in samples.user.tolist())
    served = samples.row[: samples.n_recalled[0]]
    assert served[:10].tolist() == moment.segments.ranked(data.profiles[user], 10).tolist()
    stranger = UserContext("", data.profiles[user], (), begin)
    feeds = encoder.rank(stranger, samples.row[: samples.group[1]].astype(np.int64))
    np.testing.assert_array_equal(samples.feeds[CROSSES][: samples.group[1]], feeds[CROSSES])
    assert samples.feeds[CROSSES][:, cross_names(base.schema).index("user_events")].max() == 0
    taken = events.positives(user, begin, data.end)
    shown = samples.row[: samples.group[1]]
    np.testing.assert_array_equal(samples.label[: samples.group[1]], np.isin(shown, taken))
    vector = encode_new(tower, events, encoder, samples.user[:1], begin)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    none = new_shopper_samples(events, encoder, snapshot, tower, window, everybody_new(0.0), rng)
    assert none is None


def test_who_is_held_out_is_not_trained_on(data: PreparedData) -> None:
    split = hold_out(data, 0.4, seed=7, window_days=10)
    told = [user for user, profile in enumerate(data.profiles) if profile]
    assert len(split.users) == round(0.4 * len(told))
    assert set(split.users.tolist()) <= set(told)
    left = split.training.events
    assert not np.isin(left.user, split.users).any()
    assert left.at.max() < split.cutoff == data.end - 10 * DAY_MS
    assert split.training.end <= split.cutoff
    for user in range(len(data.user_ids)):
        assert (left.user[left.start[user] : left.start[user + 1]] == user).all()
    assert hold_out(data, 0.4, seed=7, window_days=10).users.tolist() == split.users.tolist()


def test_without_profiles_there_is_nothing_to_measure(data: PreparedData) -> None:
    nobody = replace(data, profiles=[{}] * len(data.user_ids))
    with pytest.raises(DataFault, match="no users with a profile"):
        hold_out(nobody, 0.4, seed=7, window_days=20)


def test_a_split_needs_somebody_to_train_on(tmp_path: Path, data: PreparedData) -> None:
    everybody = replace(data, profiles=[{"age": "1"}] * len(data.user_ids))
    with pytest.raises(DataFault, match="hold out fewer users"):
        hold_out(everybody, 0.999, seed=7, window_days=20)
