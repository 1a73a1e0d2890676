"""The retail protocol shows a method nothing of the test, and the baselines compute what they say."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from engine.features import DAY_MS
from models.evaluation.command import main
from models.evaluation.methods.baselines.boosted import pair_features
from models.evaluation.methods.baselines.linear import Ease
from models.evaluation.methods.baselines.neighbours import ItemKnn, TifuKnn
from models.evaluation.methods.baselines.simple import CategoryPopularity, PersonalFrequency, Popularity
from models.evaluation.protocols import run_baseline, write_lists
from models.evaluation.retail import RetailSplit, cut_of, split
from models.training.channels import popular
from models.training.dataset import load_prepared
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder: Path) -> RetailSplit:
    data = load_prepared(folder)
    return split(data, cut_of(data), data.end, min_buyers=4)


def test_the_test_is_the_last_28_days_by_the_clock_of_the_data(tiny: RetailSplit) -> None:
    assert tiny.cut % DAY_MS == 0
    assert 27 * DAY_MS < tiny.data.end - tiny.cut <= 28 * DAY_MS + DAY_MS // 4


def test_training_holds_purchases_before_the_cut_of_items_with_enough_buyers(tiny: RetailSplit) -> None:
    assert (tiny.train.at < tiny.cut).all()
    buyers = np.asarray(tiny.bought.sum(axis=0)).ravel()
    assert buyers.min() >= 4
    assert len(tiny.item_ids) == tiny.truth.shape[1] < 81


def test_everybody_measured_has_a_past_and_a_truth(tiny: RetailSplit) -> None:
    assert (np.diff(tiny.bought.indptr)[tiny.users] > 0).all()
    assert (np.diff(tiny.truth.indptr)[tiny.users] > 0).all()
    assert tiny.novel_truth.multiply(tiny.bought).nnz == 0
    assert set(tiny.novel_users) <= set(tiny.users)


def test_returning_users_are_served_better_by_their_own_purchases(tiny: RetailSplit) -> None:
    popular = run_baseline("popularity", tiny, 7).metrics["all"]["ndcg_at_20"]["mean"]
    own = run_baseline("frequency-90d", tiny, 7).metrics["all"]["ndcg_at_20"]["mean"]
    assert own > popular + 0.1


def test_ease_is_the_closed_form_on_either_side(tiny: RetailSplit) -> None:
    bought = tiny.bought.toarray().astype(np.float64)
    inverse = np.linalg.inv(bought.T @ bought + 50.0 * np.eye(bought.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    by_items, by_users = Ease(50.0), Ease(50.0)
    by_items.fit(tiny, 7)
    few = tiny.bought[:20]
    by_users.fit(RetailSplit(**{**tiny.__dict__, "bought": few}), 7)
    assert np.allclose(by_items.scores(tiny.users), bought[tiny.users] @ weights, atol=1e-4)
    part = few.toarray().astype(np.float64)
    inverse = np.linalg.inv(part.T @ part + 50.0 * np.eye(part.shape[1]))
    weights = inverse / -np.diag(inverse)
    np.fill_diagonal(weights, 0.0)
    assert np.allclose(by_users.scores(np.arange(20)), part @ weights, atol=1e-4)


def test_tifu_mixes_own_counts_with_those_of_the_nearest(tiny: RetailSplit) -> None:
    alone, mixed = PersonalFrequency(90.0), TifuKnn(neighbours=5, alpha=1.0)
    alone.fit(tiny, 7)
    mixed.fit(tiny, 7)
    assert np.allclose(mixed.scores(tiny.users), alone.scores(tiny.users), atol=1e-5)
    others = TifuKnn(neighbours=5, alpha=0.0)
    others.fit(tiny, 7)
    counts = alone._counts.toarray()
    unit = counts / np.linalg.norm(counts, axis=1, keepdims=True)
    similar = unit @ unit[3]
    similar[3] = -1
    expected = counts[np.argsort(-similar)[:5]].mean(axis=0)
    assert np.allclose(others.scores(np.array([3]))[0], expected, atol=1e-5)


@pytest.mark.parametrize("neighbours", [10, 100_000])
def test_item_neighbours_score_what_is_bought_together(tiny: RetailSplit, neighbours: int) -> None:
    method = ItemKnn(neighbours=neighbours)
    method.fit(tiny, 7)
    scores = method.scores(tiny.users)
    assert scores.shape == (len(tiny.users), len(tiny.item_ids))
    assert scores.min() >= 0
    assert scores.max() > 0


def test_popularity_is_the_same_for_everybody(tiny: RetailSplit) -> None:
    method = Popularity()
    method.fit(tiny, 7)
    scores = method.scores(tiny.users[:3])
    assert (scores == scores[0]).all()


def test_the_boosted_ranker_sees_each_pair_once(tiny: RetailSplit) -> None:
    pairs, features = pair_features(tiny.train)
    assert len(pairs) == tiny.bought.nnz
    assert features.shape == (len(pairs), 19)
    assert np.isfinite(features).all()


def test_novel_lists_hold_nothing_bought_before(tiny: RetailSplit, tmp_path: Path) -> None:
    outcome = run_baseline("popularity", tiny, 7)
    write_lists(outcome, tiny, tmp_path)
    shown = pq.read_table(tmp_path / "novel.parquet").to_pydict()
    row = {item: place for place, item in enumerate(tiny.item_ids)}
    user = {name: place for place, name in enumerate(tiny.data.user_ids)}
    lines = [user[name] for name in shown["user_id"]]
    assert np.asarray(tiny.bought[lines, [row[item] for item in shown["item_id"]]]).sum() == 0


def test_lists_are_written_for_anyone_to_score_again(folder: Path, tmp_path: Path) -> None:
    arguments = [
        "retail",
        "--source",
        "tiny",
        "--prepared",
        str(folder.parent),
        "--method",
        "frequency-90d",
        "--min-buyers",
        "4",
    ]
    assert main([*arguments, "--out", str(tmp_path)]) == 0
    table = pq.read_table(tmp_path / "all.parquet")
    assert table.column_names == ["user_id", "position", "item_id", "score", "channel"]
    first = table.to_pylist()[:3]
    assert [line["position"] for line in first] == [0, 1, 2]
    assert first[0]["score"] >= first[1]["score"] >= first[2]["score"]
    assert (tmp_path / "report.json").is_file()


def test_a_source_that_is_nowhere_is_said_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["retail", "--source", "tafeng", "--prepared", str(tmp_path), "--method", "popularity"]) == 1
    assert "Traceback" not in capsys.readouterr().err


def test_an_item_is_as_popular_as_its_category_first(tiny: RetailSplit) -> None:
    method = CategoryPopularity()
    method.fit(tiny, 7)
    scores = method.scores(tiny.users[:2])
    assert (scores[0] == scores[1]).all()
    record = {item: place for place, item in enumerate(tiny.data.item_ids)}
    leaf = np.array([tiny.data.records[record[item]]["cate"] for item in tiny.item_ids])
    sales = popular(tiny.train, half_life=28.0)
    mean = {name: sales[leaf == name].mean() for name in np.unique(leaf)}
    order = np.argsort(-scores[0], kind="stable")
    expected = sorted(range(len(leaf)), key=lambda item: (-mean[leaf[item]], -sales[item]))
    assert [leaf[item] for item in order] == [leaf[item] for item in expected]
