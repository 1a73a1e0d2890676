"""What is made of a run: segments, new items, seeds, comparisons, candidates' measures, pictures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse
from rich.console import Console

from engine.features import DAY_MS
from models.evaluation import trained
from models.evaluation.candidates import Scored, rank_metrics
from models.evaluation.cold_users import measured, ratio
from models.evaluation.command import main
from models.evaluation.compare import differences
from models.evaluation.errors import ProtocolError
from models.evaluation.protocols import run_baseline
from models.evaluation.ranking import interval, intervals
from models.evaluation.retail import RetailSplit, cut_of, split
from models.evaluation.seeds import combine
from models.evaluation.segments import new_item_shares, new_rows, segments_of
from models.training.config import TrainConfig
from models.training.dataset import PreparedData, load_prepared
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_prepared(tmp_path_factory.mktemp("prepared") / "tiny")


@pytest.fixture(scope="module")
def tiny(folder: Path) -> RetailSplit:
    data = load_prepared(folder)
    return split(data, cut_of(data), data.end, min_buyers=4)


@pytest.fixture(scope="module")
def runs(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the outputs of two methods."""
    out = tmp_path_factory.mktemp("runs")
    common = ["retail", "--source", "tiny", "--prepared", str(folder.parent), "--min-buyers", "4"]
    for method in ("popularity", "frequency"):
        asked = [*common, "--method", method, "--seeds", "7,8", "--out", str(out / method)]
        assert main(asked) == 0
    return out


def test_every_measured_user_is_light_medium_or_heavy_and_of_one_class_of_visits(tiny: RetailSplit) -> None:
    segments = {segment.name: segment.members[tiny.users] for segment in segments_of(tiny)}
    terciles = sum(segments.pop(name).astype(int) for name in ("light", "medium", "heavy"))
    assert (terciles == 1).all()
    assert (sum(members.astype(int) for members in segments.values()) == 1).all()


def test_heavy_users_bought_more_items_than_light_ones(tiny: RetailSplit) -> None:
    segments = {segment.name: segment.members for segment in segments_of(tiny)}
    distinct = np.diff(tiny.bought.indptr)
    light, heavy = (distinct[tiny.users[segments[name][tiny.users]]] for name in ("light", "heavy"))
    assert light.max() < heavy.min()


def test_new_items_are_those_first_bought_lately(tiny: RetailSplit) -> None:
    new = new_rows(tiny, days=14)
    for row in range(len(tiny.item_ids)):
        first = tiny.train.at[tiny.train.row == row].min()
        assert new[row] == (first >= tiny.cut - 14 * DAY_MS)


def test_the_shares_of_new_items_count_places_hits_and_truth() -> None:
    rows = np.array([[0, 1], [2, -1]])
    truth = scipy.sparse.csr_matrix(np.array([[1, 1, 0], [0, 1, 0]], np.float32))
    shares = new_item_shares(rows, truth, np.array([False, True, False]))
    assert shares["of_shown"] == pytest.approx(1 / 3)
    assert shares["of_hits"] == pytest.approx(1 / 2)
    assert shares["of_truth"] == pytest.approx(2 / 3)
    assert shares["recall"] == pytest.approx(1 / 2)


def test_intervals_of_several_measures_are_those_of_each() -> None:
    values = np.random.default_rng(1).random((60, 2))
    both = intervals(values, 3, draws=200)
    assert interval(values[:, 1], 3, draws=200) == pytest.approx(tuple(both[:, 1]))


def test_seeds_are_averaged_user_by_user_and_their_spread_is_told(tiny: RetailSplit) -> None:
    runs = [run_baseline(name, tiny, 7) for name in ("popularity", "frequency")]
    whole = combine(runs, tiny)
    one = whole.metrics["all"]["ndcg_at_20"]
    means = [run.metrics["all"]["ndcg_at_20"]["mean"] for run in runs]
    assert one["mean"] == pytest.approx(np.mean(means))
    assert one["spread"] == pytest.approx(np.std(means, ddof=1))
    assert one["by_seed"] == means
    heavy = [run.segments["all"]["heavy"]["recall_at_20"]["mean"] for run in runs]
    assert whole.segments["all"]["heavy"]["recall_at_20"]["mean"] == pytest.approx(np.mean(heavy))
    assert whole.metrics["all"]["users"] == len(tiny.users)


def test_a_run_of_seeds_writes_each_and_the_mean(runs: Path) -> None:
    report = json.loads((runs / "popularity" / "report.json").read_text("utf-8"))
    assert report["seeds"] == [7, 8]
    assert report["metrics"]["all"]["ndcg_at_20"]["spread"] == 0.0
    single = json.loads((runs / "popularity" / "seed-8" / "report.json").read_text("utf-8"))
    assert single["seed"] == 8
    users = pq.read_table(runs / "popularity" / "users.parquet")
    mean = np.mean(users.filter(np.array(users["variant"].to_pylist()) == "all")["ndcg_at_20"].to_numpy())
    assert mean == pytest.approx(report["metrics"]["all"]["ndcg_at_20"]["mean"])


def test_seeds_that_are_no_numbers_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["retail", "--source", "tiny", "--method", "popularity", "--seeds", "7,x"])
    assert "as 7,8,9" in capsys.readouterr().err


def test_two_runs_are_compared_user_by_user(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "apart.json"
    assert main(["compare", str(runs / "frequency"), str(runs / "popularity"), "--out", str(out)]) == 0
    found = json.loads(out.read_text("utf-8"))["all"]["ndcg_at_20"]
    assert found["mean"] == pytest.approx(found["first"] - found["second"])
    assert 0 < found["low"] < found["mean"] < found["high"]


def test_runs_of_other_users_are_not_compared() -> None:
    values = {"ndcg_at_20": np.ones(2)}
    with pytest.raises(ProtocolError, match="other users"):
        differences({"all": (["1", "2"], values)}, {"all": (["1", "3"], values)})


def test_runs_of_other_windows_are_not_compared(runs: Path, tmp_path: Path) -> None:
    report = json.loads((runs / "frequency" / "report.json").read_text("utf-8"))
    (tmp_path / "report.json").write_text(json.dumps({**report, "on": "validation"}), "utf-8")
    assert main(["compare", str(runs / "frequency"), str(tmp_path)]) == 1


def test_candidates_are_measured_within_users_too() -> None:
    parts = [
        (np.array([0, 1, 2]), np.array([0.9, 0.5, 0.1], np.float32)),
        (np.zeros(0, np.int64), np.zeros(0, np.float32)),
        (np.array([2, 0]), np.array([0.3, 0.2], np.float32)),
    ]
    truth = scipy.sparse.csr_matrix(np.array([[1, 0, 0, 1], [0, 1, 0, 0], [1, 0, 0, 0]], np.float32))
    found = rank_metrics(Scored.join(parts), truth)
    assert found["candidates"] == 5
    assert found["positive_share"] == pytest.approx(2 / 5)
    assert found["recall"] == pytest.approx((1 / 2 + 0 + 1) / 3)
    assert found["auc"]["value"] == pytest.approx(4 / 6)
    assert found["gauc"]["value"] == pytest.approx((1.0 * 3 + 0.0 * 2) / 5)


def test_candidates_of_which_none_is_taken_have_no_auc() -> None:
    scored = Scored.join([(np.array([1]), np.array([0.9], np.float32))])
    found = rank_metrics(scored, scipy.sparse.csr_matrix(np.array([[1, 0]], np.float32)))
    assert found == {"candidates": 1, "recall": 0.0}


def test_a_ratio_of_means_is_within_its_interval() -> None:
    base = np.random.default_rng(1).random(200)
    found = ratio(base * 1.5, base)
    assert found["mean"] == pytest.approx(1.5)
    assert found["low"] == pytest.approx(found["high"])


def test_who_is_held_out_twice_counts_once() -> None:
    methods = {
        "popularity": {3: [(0.2, 0.1, 0.1), (0.4, 0.3, 0.3)], 5: [(0.0, 0.0, 0.0)]},
        "segments": {3: [(0.4, 0.2, 0.1), (0.8, 0.6, 0.7)], 5: [(0.0, 0.0, 0.0)]},
    }
    found = measured(methods)
    assert found["segments"]["users"] == 2
    assert found["segments"]["recall_at_20"]["mean"] == pytest.approx(0.3)
    assert found["segments"]["recall_of_truth_at_20"]["mean"] == pytest.approx(0.2)
    assert found["segments"]["ratio"]["mean"] == pytest.approx(2.0)


def test_code_that_trains_otherwise_is_another_release(tmp_path: Path) -> None:
    file = tmp_path / "loss.py"
    file.write_text("rate = 1\n", "utf-8")
    before = trained.code_digest([file])
    assert trained.code_digest([file]) == before
    file.write_text("rate = 2\n", "utf-8")
    assert trained.code_digest([file]) != before


def test_what_trains_is_found_by_its_imports() -> None:
    root = Path(trained.__file__).parents[2]
    found = {str(path.relative_to(root)) for path in trained.sources(root / "models" / "training" / "run.py")}
    needed = (
        "models/training/run.py",
        "models/rankers/deepfm.py",
        "engine/features/__init__.py",
        "models/evaluation/measures.py",
    )
    assert set(needed) <= found
    assert (
        not {
            "models/evaluation/cold.py",
            "models/evaluation/plots.py",
            "models/evaluation/methods/baselines/linear.py",
        }
        & found
    )


def test_a_release_is_trained_once(
    tiny: RetailSplit, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seeds = []

    def train(data: PreparedData, config: TrainConfig, home: Path, console: Console) -> tuple[Path, bool]:
        assert data.end <= tiny.cut
        seeds.append(config.seed)
        made = home / "tiny-20260101T000000Z"
        made.mkdir(parents=True)
        (made / "manifest.json").write_text("{}", "utf-8")
        return made, True

    monkeypatch.setattr(trained, "train", train)
    first = trained.train_release(tiny, folder, "quick", 7, tmp_path)
    assert trained.train_release(tiny, folder, "quick", 7, tmp_path) == first
    assert trained.train_release(tiny, folder, "quick", 8, tmp_path) != first
    assert seeds == [7, 8]


def test_pictures_show_each_method_and_step_and_stay_small(runs: Path, tmp_path: Path) -> None:
    ladder = tmp_path / "ladder.csv"
    ladder.write_text("dataset,step,ours,ndcg_all,ndcg_novel\nTiny,first step,no,0.1,0.05\n", "utf-8")
    out = tmp_path / "img"
    assert main(["plots", "--reports", str(runs), "--ladder", str(ladder), "--out", str(out)]) == 0
    methods = (out / "quality-tiny.svg").read_text("utf-8")
    assert "popularity, 2 seeds" in methods
    assert "frequency, 2 seeds" in methods
    assert "first step" in (out / "quality-ladder-tiny.svg").read_text("utf-8")
    assert all(picture.stat().st_size < 100_000 for picture in out.iterdir())


def test_a_ladder_without_numbers_names_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ladder = tmp_path / "ladder.csv"
    ladder.write_text("dataset,step,ours,ndcg_all,ndcg_novel\nTiny,first step,no,none,0.05\n", "utf-8")
    assert main(["plots", "--reports", str(tmp_path), "--ladder", str(ladder), "--out", str(tmp_path)]) == 1
    assert "ladder.csv:2:" in capsys.readouterr().err.replace("\n", "")
