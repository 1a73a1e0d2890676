"""Fixed train and test files as a protocol: read as a shop's files are; nothing of the test is learnt."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.evaluation.command import main
from models.evaluation.files import read_files
from models.evaluation.methods.baselines.registry import METHODS

pytestmark = pytest.mark.unit

_TRAIN = [("u1", "a"), ("u1", "b"), ("u1", "c"), ("u2", "a"), ("u2", "5.0"), ("u3", "b"), ("u3", "c")]
_TEST = [("u1", "5"), ("u2", "b"), ("u2", "a"), ("u9", "a"), ("u3", "new")]


def _csv(file: Path, rows: list[tuple[str, ...]], header: str = "user_id,item_id") -> Path:
    file.write_text("\n".join([header, *(",".join(row) for row in rows)]) + "\n", "utf-8")
    return file


def _run(train: Path, test: Path, home: Path, *given: str) -> int:
    files = ["--train", str(train), "--test", str(test), "--artifacts", str(home)]
    return main(["retail", *files, *given])


def test_ids_are_read_as_prepare_reads_them_and_strangers_are_counted(tmp_path: Path) -> None:
    files = read_files(_csv(tmp_path / "train.csv", _TRAIN), _csv(tmp_path / "test.csv", _TEST), tmp_path)
    found = files.split()
    named = {
        (found.data.user_ids[user], found.item_ids[item])
        for user, item in zip(*found.truth.nonzero(), strict=True)
    }
    assert named == {("u1", "5"), ("u2", "b"), ("u2", "a")}
    assert files.unknown == 2  # u9, and the item "new"
    assert found.bought.nnz == len(_TRAIN)
    assert found.novel_truth.nnz == 2  # u2 had a before
    assert not files.timed


def test_the_validation_part_comes_from_the_train_file_and_leaves_something_to_learn(tmp_path: Path) -> None:
    files = read_files(_csv(tmp_path / "train.csv", _TRAIN), _csv(tmp_path / "test.csv", _TEST), tmp_path)
    whole, part = files.split(), files.split(1)
    assert (part.truth + part.bought != whole.bought).nnz == 0
    assert part.truth.multiply(part.bought).nnz == 0
    assert np.diff(part.bought.indptr)[part.users].min() >= 1
    assert len(part.users) == 3
    assert len(part.train.user) == part.bought.nnz
    again = files.split(1)
    assert (again.truth != part.truth).nnz == 0


def test_parquet_and_csv_give_the_same_lists(tmp_path: Path) -> None:
    rng = np.random.default_rng(4)
    rows = sorted({(f"u{rng.integers(20)}", f"i{rng.integers(30) * rng.integers(2)}") for _ in range(400)})
    train, test = rows[::2], rows[1::2]
    for name, part in (("train", train), ("test", test)):
        _csv(tmp_path / f"{name}.csv", part)
        columns = dict(zip(("user_id", "item_id"), map(list, zip(*part, strict=True)), strict=True))
        pq.write_table(pa.table(columns), tmp_path / f"{name}.parquet")
    metrics = []
    for kind in ("csv", "parquet"):
        files = (tmp_path / f"train.{kind}", tmp_path / f"test.{kind}")
        out = tmp_path / f"out-{kind}"
        assert _run(*files, tmp_path / "kept", "--method", "ease", "--out", str(out)) == 0
        report = json.loads((out / "report.json").read_text())
        metrics.append(report["metrics"])
        assert report["train"] == str(files[0])
        assert report["rows"] == len(train)
        assert report["test_pairs"] + report["unknown_pairs"] == len(test)
    assert metrics[0] == metrics[1]


@pytest.mark.parametrize("at", ["2024-03-01T10:00:00", "1709287200", "1709287200000"])
def test_times_are_understood_as_iso_or_epoch(tmp_path: Path, at: str) -> None:
    rows = [(user, item, at) for user, item in _TRAIN[:-1]]
    late = {"2": "2024-03-09", "1": at.replace("17092", "17099")}[at[0]]
    train = _csv(tmp_path / "train.csv", [*rows, ("u3", "c", late)], "user_id,item_id,at")
    files = read_files(train, _csv(tmp_path / "test.csv", _TEST), tmp_path)
    assert files.timed
    assert 6.5 < (files.data.end - files.data.begin) / 86_400_000 < 10


@pytest.mark.parametrize("name", ["popularity", "popularity-by-category", "frequency", "tifu-knn", "itemknn"])
def test_methods_that_need_no_times_work_without_them(tmp_path: Path, name: str) -> None:
    train, test = _csv(tmp_path / "train.csv", _TRAIN), _csv(tmp_path / "test.csv", _TEST)
    assert _run(train, test, tmp_path, "--method", name) == 0


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--method", "popularity-recent"], "needs times"),
        (["--method", "pipeline"], "needs times"),
        (["--method", "ease", "--test-days", "3"], "--test-days is for --source"),
        (["--method", "ease", "--source", "tiny"], "say what to measure on"),
    ],
)
def test_what_does_not_fit_is_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    train, test = _csv(tmp_path / "train.csv", _TRAIN), _csv(tmp_path / "test.csv", _TEST)
    assert _run(train, test, tmp_path, *given) != 0
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


@pytest.mark.parametrize(
    ("train", "test", "said"),
    [
        ("user_id,item\nu1,a\n", "user_id,item_id\nu1,a\n", "item_id"),
        ("user_id,item_id\nu1,a\n", "", "empty"),
        ("user_id,item_id\nu1,a\n", "user_id,item_id\nu7,a\n", "no user of the test file"),
    ],
)
def test_a_file_that_is_not_to_be_used_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], train: str, test: str, said: str
) -> None:
    (tmp_path / "train.csv").write_text(train)
    (tmp_path / "test.csv").write_text(test)
    assert _run(tmp_path / "train.csv", tmp_path / "test.csv", tmp_path, "--method", "ease") != 0
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err


def test_one_file_alone_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["retail", "--train", str(tmp_path / "train.csv"), "--method", "ease"]) != 0
    assert "--train and --test belong together" in capsys.readouterr().err
    assert set(METHODS) >= {"ease-trend", "popularity-recent"}
