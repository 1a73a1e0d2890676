"""New items find those who take such items; nothing of the future is used; the protocol asks fairly."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from engine.features import DAY_MS, Event, FeatureSchema, UserContext
from engine.recall.new_items import EVIDENCE, Bins, NewItemModel, Taken, evidence, group_columns, group_keys
from models.evaluation.command import main
from models.evaluation.new_items import MEASURES, measured, per_user, question
from models.training.catalogue import build_schema
from models.training.config import CONFIGS
from models.training.dataset import PreparedData, load_prepared
from models.training.new_items_fit import NewItemFit
from tests.support.launches import CATEGORIES, START, USERS, write_launches

pytestmark = pytest.mark.unit

WINDOW = 28 * DAY_MS
CUT = START + 196 * DAY_MS


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_launches(tmp_path_factory.mktemp("prepared") / "launches")


@pytest.fixture(scope="module")
def whole(folder: Path) -> PreparedData:
    return load_prepared(folder)


@pytest.fixture(scope="module")
def fit(folder: Path) -> NewItemFit:
    data = load_prepared(folder, CUT)
    return NewItemFit(data, _schema(data), WINDOW, seed=7)


@pytest.fixture(scope="module")
def model(fit: NewItemFit) -> NewItemModel:
    found = fit.fit(CUT)
    assert found is not None
    return found


def _schema(data: PreparedData) -> FeatureSchema:
    return build_schema(data, data.records, CONFIGS["quick"])


def test_a_group_is_a_field_or_a_field_within_a_category_level(fit: NewItemFit) -> None:
    names = [tuple(fit.schema.item_slots[c].name for c in part) for part in group_columns(fit.schema)]
    assert ("category_2",) in names
    assert ("maker", "category_2") in names
    assert not any("price" in part or "item_id" in part for part in names)


def test_items_share_a_bin_where_they_share_the_value_and_unknown_values_have_none(fit: NewItemFit) -> None:
    features = np.zeros((3, len(fit.schema.item_slots)), np.int64)
    features[:2, 1:] = 1
    bins = Bins.of(group_keys(fit.schema, features))
    found = bins.find(group_keys(fit.schema, features))
    assert (found[0] == found[1]).all()
    assert (found[0] < len(bins)).all()
    assert (found[2] == len(bins)).all()


def test_evidence_counts_events_and_different_items_of_each_bin() -> None:
    taken = Taken(np.array([0, 0, 1]), np.array([60.0, 0.0, 0.0]))
    bins, values = evidence(taken, np.array([[0], [0], [1]], np.int32), np.array([70, np.inf, 1]), 5)
    got = dict(zip(EVIDENCE, values[0].tolist(), strict=True))
    assert bins.tolist() == [0]
    assert got["amount"] == pytest.approx(np.log1p(2.5))
    assert got["share"] == pytest.approx(1.0)
    assert got["variety"] == pytest.approx(np.log1p(2))
    assert got["launches"] == pytest.approx(np.log1p(1))  # item 0, ten days after its first sale
    assert got["any"] == 1.0


def test_launches_of_a_users_own_category_come_first(fit: NewItemFit, model: NewItemModel) -> None:
    new = fit.unsold()
    bins = fit.item_bins[new]
    for user in range(USERS):
        scores = model.prior_of(bins) + model.personal(fit.taken(user, CUT), bins)
        own = new % CATEGORIES == int(fit.data.user_ids[user][1:]) % CATEGORIES
        assert scores[own].min() > scores[~own].max()


def test_what_happens_after_the_moment_changes_nothing(whole: PreparedData, fit: NewItemFit) -> None:
    later = NewItemFit(whole, fit.schema, WINDOW, seed=7)
    moment = CUT - WINDOW
    before, after = fit.fit(moment - WINDOW), later.fit(moment - WINDOW)
    assert before is not None
    assert after is not None
    np.testing.assert_array_equal(before.prior, after.prior)
    np.testing.assert_array_equal(before.weights, after.weights)


def test_a_context_and_the_training_columns_say_the_same(fit: NewItemFit, model: NewItemModel) -> None:
    data, user = fit.data, 5
    part = data.events.before(user, CUT, 1000)
    events = [
        Event(data.item_ids[item], "purchase", at)
        for item, at in zip(data.events.item[part][::-1], data.events.at[part][::-1], strict=True)
    ]
    context = UserContext(data.user_ids[user], {}, [Event("0", "click", CUT - 1), *events], CUT)
    index = {item: place for place, item in enumerate(data.item_ids)}
    bins = fit.item_bins[fit.unsold()]
    served = model.personal(Taken.of(context, index, fit.schema, CUT), bins)
    np.testing.assert_allclose(served, model.personal(fit.taken(user, CUT), bins), rtol=1e-5)


def test_without_launches_there_is_nothing_to_learn(fit: NewItemFit) -> None:
    assert fit.fit(START + 60 * DAY_MS) is None


def test_the_question_is_of_items_first_bought_in_the_window_and_hides_their_price(
    folder: Path, whole: PreparedData
) -> None:
    asked = question(whole, load_prepared(folder, CUT), CUT)
    assert (asked.data.events.at < CUT).all()
    assert not np.isin(asked.new, asked.data.events.item).any()
    assert all(asked.data.records[item]["price"] is None for item in asked.new.tolist())
    assert (asked.truth.sum(axis=1) > 0).all()


def test_the_share_is_of_pairs_and_the_ratio_to_the_other_method() -> None:
    truth = np.zeros((2, 30), np.bool_)
    truth[0, [0, 25]] = truth[1, 29] = True
    found = per_user(np.tile(np.arange(20), (2, 1)), truth)
    columns = dict(zip(MEASURES, found.T, strict=True))
    assert columns["recall_of_truth_at_20"].tolist() == [0.5, 0.0]  # of two and of one
    assert columns["recall_at_20"].tolist() == [0.5, 0.0]
    got = measured(columns, {"hits": np.array([0.5, 0.0])}, seed=7)
    assert got["share_of_pairs"]["mean"] == pytest.approx(1 / 3)
    assert got["ratio"]["mean"] == pytest.approx(2.0)
    assert got["hit_rate_at_20"]["mean"] == pytest.approx(0.5)


def test_the_protocol_reports_every_method_against_popularity_by_category(
    folder: Path, tmp_path: Path
) -> None:
    given = ["new-items", "--source", "launches", "--prepared", str(folder.parent), "--out", str(tmp_path)]
    assert main([*given, "--methods", "random,own-categories,new-items"]) == 0
    methods = json.loads((tmp_path / "report.json").read_text())["methods"]
    assert methods["category-popularity"]["ratio"]["mean"] == 1.0
    assert methods["new-items"]["share_of_pairs"]["mean"] > 0.95
    assert methods["new-items"]["ratio"]["low"] > 1.5
    assert methods["random"]["share_of_pairs"]["mean"] < 0.6
