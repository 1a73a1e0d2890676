"""The leave-one-out protocols: what is hidden stays hidden, and the command leaves its files."""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from rich.console import Console

from models.evaluation import leave_one_out
from models.evaluation.errors import ProtocolError
from models.evaluation.leave_one_out import arguments, rank, run
from models.evaluation.methods.baselines.neighbours import ItemKnn
from models.evaluation.methods.baselines.tuning import Grid
from models.evaluation.methods.sequence import SequenceConfig
from models.evaluation.methods.sequence_memory import Memory, SequenceWithMemory, standard
from models.evaluation.methods.sequence_settings import TowerSetup, setup_for
from models.evaluation.sequences import (
    LeaveOneOut,
    Sequences,
    Taken,
    load_ml1m,
    load_sasrec,
    load_shop,
    split,
)
from models.training.dataset import load_prepared
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit


def _write_sasrec(folder: Path, users: int = 40, n_items: int = 30, stride: int = 1) -> None:
    """After an item comes the next one; user u begins at u times the stride."""
    lines = [
        f"{user} {(stride * user + step) % n_items + 1}"
        for user in range(1, users + 1)
        for step in range(6 + user % 5)
    ]
    (folder / "ml-1m.txt").write_text("\n".join(lines) + "\n")


def _run(folder: Path | None, *given: str, protocol: str = "sasrec-loo") -> int:
    parser = argparse.ArgumentParser()
    arguments(parser)
    parser.add_argument("--on", default="test")
    parser.add_argument("--out", type=Path)
    parser.add_argument("--seed", type=int, default=7)
    options = parser.parse_args([*(["--path", str(folder)] if folder else []), *given])
    options.protocol = protocol
    return run(options, Console(stderr=True))


def test_training_never_holds_a_target(tmp_path: Path) -> None:
    (tmp_path / "ml-1m.txt").write_text("1 5\n1 7\n1 6\n1 9\n2 9\n2 5\n2 6\n3 5\n3 6\n")
    data = load_sasrec(tmp_path)
    assert data.user_ids == ["1", "2"]  # the third has too little to split
    ids = np.array(data.item_ids)
    test, validation = split(data, "test"), split(data, "validation")
    assert ids[test.target].tolist() == ["9", "6"]
    assert ids[validation.target].tolist() == ["6", "5"]
    assert [ids[h].tolist() for h in test.known] == [["5", "7", "6"], ["9", "5"]]
    assert [ids[h].tolist() for h in test.train] == [["5", "7"], ["9"]]
    assert [h.tolist() for h in validation.train] == [h.tolist() for h in test.train]
    assert test.truth.toarray().argmax(axis=1).tolist() == test.target.tolist()
    assert test.seen[0].nonzero()[1].tolist() == sorted(test.known[0].tolist())


def test_movielens_is_put_in_order_of_time_with_its_genres(tmp_path: Path) -> None:
    (tmp_path / "ratings.dat").write_text(
        "1::10::5::300\n1::30::5::100\n1::20::5::200\n1::40::5::300\n2::10::1::9\n2::20::1::8\n2::30::1::7\n"
    )
    (tmp_path / "movies.dat").write_text(
        "10::A (1994)::Comedy|Drama\n20::B (1991)::Drama\n30::C::Horror\n", "latin-1"
    )
    data = load_ml1m(tmp_path)
    ids = np.array(data.item_ids)
    assert [ids[h].tolist() for h in data.histories] == [["30", "20", "10", "40"], ["30", "20", "10"]]
    assert data.content is not None
    # columns: Comedy, Drama, Horror, from 1990
    assert data.content.tolist() == [[1, 1, 0, 1], [0, 1, 0, 1], [0, 0, 1, 0], [0, 0, 0, 0]]


@pytest.mark.parametrize("load", [load_sasrec, load_ml1m])
def test_a_folder_without_the_data_is_named(tmp_path: Path, load: Callable[[Path], Sequences]) -> None:
    with pytest.raises(ProtocolError, match=str(tmp_path)):
        load(tmp_path)


def test_novel_shows_nothing_that_was_taken_and_all_does(tmp_path: Path) -> None:
    class Everything:
        def scores(self, users: np.ndarray) -> np.ndarray:
            return np.tile(np.arange(30.0), (len(users), 1))

    _write_sasrec(tmp_path)
    found = split(load_sasrec(tmp_path), "test")
    novel, everything = (rank(Everything(), "x", found, variant) for variant in ("novel", "all"))
    for user, history in enumerate(found.known):
        assert not set(novel.rows[user].tolist()) & set(history.tolist())
    assert everything.rows[0].tolist() == list(range(29, 9, -1))


@pytest.mark.parametrize("method", ["popularity", "itemknn", "ease"])
def test_baselines_leave_lists_and_a_report(tmp_path: Path, method: str) -> None:
    _write_sasrec(tmp_path, users=60, n_items=250, stride=4)
    assert _run(tmp_path, "--method", method, "--out", str(tmp_path / "out")) == 0
    lists = pq.read_table(tmp_path / "out" / "novel.parquet").to_pandas()
    assert list(lists.columns) == ["user_id", "position", "item_id", "score", "channel"]
    assert lists.groupby("user_id").position.max().eq(19).all()
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    best = report["metrics"]["novel"]
    assert best["users"] == 60
    assert 0 <= best["ndcg_at_10"]["low"] <= best["ndcg_at_10"]["mean"] <= best["hit_rate_at_10"]["mean"] <= 1


TINY = SequenceConfig(
    width=8,
    blocks=1,
    heads=2,
    inner=16,
    length=8,
    dropout=0.0,
    batch_tokens=64,
    epochs=15,
    learning_rate=3e-2,
)


def test_any_file_of_sequences_is_read_and_a_wrong_line_is_named(tmp_path: Path) -> None:
    file = tmp_path / "mine.txt"
    file.write_text("ann x9\nann x10\n\nbob x9\nann x9\nbob x10\nbob y\n", "utf-8")
    data = load_sasrec(file)
    ids = np.array(data.item_ids)
    assert (data.name, data.user_ids) == ("mine", ["ann", "bob"])
    assert [ids[h].tolist() for h in data.histories] == [["x9", "x10", "x9"], ["x9", "x10", "y"]]
    file.write_text("ann x9\nann x10 5\n", "utf-8")
    with pytest.raises(ProtocolError, match=r"mine.txt:2: 3 words"):
        load_sasrec(file)


def test_a_prepared_dataset_is_read_and_novel_leaves_out_who_returns_to_an_item(tmp_path: Path) -> None:
    write_prepared(tmp_path / "prepared" / "tiny")
    given = ["--method", "itemknn", "--prepared", str(tmp_path / "prepared"), "--source", "tiny"]
    assert _run(None, *given, "--min-takers", "3", "--out", str(tmp_path / "out")) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    data = load_shop(load_prepared(tmp_path / "prepared" / "tiny"), 3)
    last_is_new = [history[-1] not in history[:-1] for history in data.histories]
    assert report["dataset"] == "tiny"
    assert report["users"] == len(data.histories)
    assert report["metrics"]["all"]["users"] == len(data.histories) > sum(last_is_new)
    assert report["metrics"]["novel"]["users"] == sum(last_is_new) > 0
    users = pq.read_table(tmp_path / "out" / "users.parquet").to_pandas()
    assert (users[users.variant == "novel"].user_id.to_numpy() == np.array(data.user_ids)[last_is_new]).all()
    one = report["metrics"]["all"]
    recalls = [one[f"{name}_at_20"]["mean"] for name in ("recall_of_truth", "recall", "hit_rate")]
    assert len(set(recalls)) == 1


def test_which_data_must_be_said_once(tmp_path: Path) -> None:
    with pytest.raises(ProtocolError, match="say which data"):
        _run(None, "--method", "itemknn")
    with pytest.raises(ProtocolError, match="say which data"):
        _run(tmp_path, "--method", "itemknn", "--source", "tiny")


def _sized(users: int, events: int, items: int) -> Sequences:
    histories = [np.zeros(events, np.int64)] * users
    return Sequences("sized", ["u"] * users, ["i"] * items, histories)


def test_movielens_keeps_its_settings_and_sparse_data_stop_by_validation() -> None:
    assert setup_for(_sized(6040, 165, 3416)) == TowerSetup(SequenceConfig(), members=2)  # no memory
    found = setup_for(_sized(20_000, 9, 12_000))
    sparse = found.config
    assert found.members == 1
    assert found.memory is None  # its weight is chosen
    assert sparse.patience > 0
    assert sparse.warm
    assert sparse.length == 9
    assert sparse.batch_tokens < SequenceConfig().batch_tokens
    larger = setup_for(_sized(32_000, 25, 15_000)).config
    assert larger.epochs < sparse.epochs  # as many positions altogether


class _Scorer:
    """Scores as they are given; keeps which split it was fitted to."""

    def __init__(self, table: np.ndarray) -> None:
        self._table, self.found = table, None

    def fit(self, found: LeaveOneOut, seed: int, console: Console) -> None:
        self.found = found

    def scores(self, users: np.ndarray) -> np.ndarray:
        return self._table[users]


def _two_kinds(noise: float) -> tuple[Sequences, np.ndarray]:
    """Items in rings of ten, users who go round one of them; and scores that are noise and the next item."""
    rng = np.random.default_rng(7)
    start, ring = rng.integers(0, 10, 200), rng.integers(0, 5, 200)
    histories = [(s + np.arange(6)) % 10 + 10 * r for s, r in zip(start, ring, strict=True)]
    names = [str(number) for number in range(50)]
    data = Sequences("rings", [str(user) for user in range(200)], names, histories)
    table = noise * rng.standard_normal((200, 50))
    table[np.arange(200), split(data, "validation").target] += 5.0
    return data, table


def test_what_the_memory_weighs_is_chosen_on_validation() -> None:
    console = Console(stderr=True)
    data, sure = _two_kinds(noise=0.0)
    alone = SequenceWithMemory(_Scorer(sure), _Scorer(sure))
    alone.fit(split(data, "test"), 7, console)
    assert alone.settings["weight"] == 0.0  # the tower knows every target: nothing is better than it alone

    data, blind = _two_kinds(noise=20.0)
    tower, chooser = _Scorer(blind), _Scorer(blind)
    both = SequenceWithMemory(tower, chooser)
    found = split(data, "test")
    both.fit(found, 7, console)
    assert both.settings["weight"] > 0  # the ring is known by what is taken together
    best = max(value for _, value in both.tried)
    assert (both.settings, best) in both.tried
    assert best > max(value for settings, value in both.tried if settings["weight"] == 0)
    assert chooser.found is not None
    assert [len(known) for known in chooser.found.known] == [4] * 200  # no target, no test
    assert tower.found is found

    given = SequenceWithMemory(_Scorer(blind), _Scorer(blind), weight=0.5)
    given.fit(found, 7, console)
    users, memory = np.arange(3), Memory()
    memory.fit(found, 7)
    faded = memory.scores(users, given.settings["half_life"])
    assert np.allclose(given.scores(users), standard(blind[users]) + 0.5 * standard(faded))
    assert np.allclose(standard(np.ones((2, 4))), 0.0)


def test_the_memory_is_itemknn_whose_items_fade() -> None:
    data, _ = _two_kinds(noise=0.0)
    again = np.concatenate([data.histories[0][:2], data.histories[0]])  # its first two items twice
    found = split(replace(data, histories=[again, *data.histories[1:]]), "test")
    memory, knn = Memory(), ItemKnn()
    memory.fit(found, 7)
    knn.fit(Taken(found.seen), 7)
    users = np.array([0, 5])
    assert np.allclose(memory.scores(users, np.inf), knn.scores(users), atol=1e-6)
    expected = sum(
        0.5 ** (age / 2.0) * knn.similar[item].toarray()[0]
        for age, item in enumerate(reversed(data.histories[0][:5].tolist()))
    )
    assert np.allclose(memory.scores(users, 2.0)[0], expected, atol=1e-6)


def test_the_tower_of_sparse_data_has_its_memory_in_the_report(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = TowerSetup(replace(TINY, epochs=1), memory=None)
    monkeypatch.setattr(leave_one_out, "setup_for", lambda data: setup)
    _write_sasrec(tmp_path)
    given = ["--method", "sequence", "--artifacts", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    assert _run(tmp_path, *given) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    best = max(report["memory_tried"], key=lambda tried: tried["ndcg_at_10"])
    assert {**report["memory"], "ndcg_at_10": best["ndcg_at_10"]} == best
    assert len(list((tmp_path / "kept").rglob("*.state"))) == 1  # trained once for both
    assert _run(tmp_path, *given, "--memory", "0") == 0
    assert "memory" not in json.loads((tmp_path / "out" / "report.json").read_text())
    with pytest.raises(ProtocolError, match="--memory"):
        _run(tmp_path, *given, "--memory", "-1")


def test_ials_has_its_settings_from_the_validation_items(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    grid = Grid({"factors": 4, "epochs": 2}, [{"unobserved": (0.1, 1.0)}])
    monkeypatch.setitem(leave_one_out.GRIDS, "ials", grid)
    _write_sasrec(tmp_path)
    assert _run(tmp_path, "--method", "ials", "--out", str(tmp_path / "out")) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(report["tried"]) == 2
    assert report["settings"]["unobserved"] in (0.1, 1.0)


def test_several_seeds_are_run_and_their_mean_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = replace(leave_one_out.PLANS["sasrec-loo"], config=replace(TINY, epochs=1), members=1)
    monkeypatch.setitem(leave_one_out.PLANS, "sasrec-loo", plan)
    _write_sasrec(tmp_path, users=60, n_items=250, stride=4)
    out = tmp_path / "out"
    given = ["--method", "sequence", "--artifacts", str(tmp_path / "kept"), "--out", str(out)]
    assert _run(tmp_path, *given, "--seeds", "7,8") == 0
    whole = json.loads((out / "report.json").read_text())
    each = [json.loads((out / f"seed-{seed}" / "report.json").read_text()) for seed in (7, 8)]
    assert whole["seeds"] == [7, 8]
    assert [report["seed"] for report in each] == [7, 8]
    found = whole["metrics"]["novel"]["ndcg_at_10"]
    own = [report["metrics"]["novel"]["ndcg_at_10"]["mean"] for report in each]
    assert found["by_seed"] == own
    assert found["mean"] == pytest.approx(sum(own) / 2)
    assert found["low"] <= found["mean"] <= found["high"]
    users = pq.read_table(out / "users.parquet").to_pandas()
    assert users[users.variant == "novel"].ndcg_at_10.mean() == pytest.approx(found["mean"])
    assert "seed 7, 8" in capsys.readouterr().out
    assert pq.read_table(out / "seed-8" / "novel.parquet").num_rows == 60 * 20


def test_the_tower_is_trained_once_and_finds_the_next_item(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = replace(leave_one_out.PLANS["sasrec-loo"], config=TINY, members=1)
    monkeypatch.setitem(leave_one_out.PLANS, "sasrec-loo", plan)
    _write_sasrec(tmp_path)
    given = ["--method", "sequence", "--artifacts", str(tmp_path / "kept"), "--out", str(tmp_path / "out")]
    assert _run(tmp_path, *given) == 0
    first = json.loads((tmp_path / "out" / "report.json").read_text())
    assert first["metrics"]["novel"]["ndcg_at_10"]["mean"] > 0.9
    assert first["max_difference"]["onnx"] < 1e-5
    trained = {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.state")}
    assert len(trained) == 1
    assert _run(tmp_path, *given) == 0
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "kept").rglob("*.state")} == trained
    second = json.loads((tmp_path / "out" / "report.json").read_text())
    assert second["metrics"] == first["metrics"]
    assert _run(tmp_path, *given, "--refit") == 0
    refitted = json.loads((tmp_path / "out" / "report.json").read_text())
    assert len(list((tmp_path / "kept").rglob("*.state"))) == 2
    assert refitted["refit_epochs"] == TINY.refit_epochs
    assert refitted["metrics"]["novel"]["ndcg_at_10"]["mean"] > 0.9


def test_a_refit_is_not_measured_on_what_it_learnt(tmp_path: Path) -> None:
    _write_sasrec(tmp_path)
    with pytest.raises(ProtocolError, match="--refit"):
        _run(tmp_path, "--method", "sequence", "--refit", "--on", "validation")
