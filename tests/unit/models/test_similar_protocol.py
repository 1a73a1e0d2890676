"""The protocol similar: hidden categories are asked for, never read."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from models.evaluation.command import main
from models.evaluation.similar import K, filled, groups, levels, measured
from models.training.channels import Purchases
from models.training.dataset import load_prepared
from tests.support.gifts import gifts
from tests.unit.models.prepared import ITEMS, write_prepared

pytestmark = pytest.mark.unit


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data, items named as a gift shop names them, more of them than are bought."""
    home = tmp_path_factory.mktemp("prepared")
    folder = write_prepared(home / "gifts")
    records, kinds = gifts()
    table = pq.read_table(folder / "items.parquet")
    more = len(records) - ITEMS
    columns = {
        "item_id": [*table["item_id"].to_pylist(), *(f"tail{n}" for n in range(more))],
        "title": [record["title"] for record in records],
        "category_path": [[kind] for kind in kinds],
    }
    pq.write_table(pa.table(columns), folder / "items.parquet")
    return home


def test_what_is_written_finds_the_kind_of_what_nobody_buys(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = ["--prepared", str(prepared), "--out", str(tmp_path), "--items", "150", "--examples", "2"]
    assert main(["similar", "--source", "gifts", *told]) == 0
    report = json.loads((tmp_path / "report.json").read_text())["groups"]
    assert set(report) == {"often bought", "rarely bought"}  # a catalogue this small is known whole
    rare = report["rarely bought"]["methods"]
    assert rare["content"]["level 1"] > 0.5
    assert rare["bought"]["level 1"] < 0.2
    assert rare["bought+content"]["filled"] >= rare["content"]["filled"] > 0.9
    assert " -> " in capsys.readouterr().out


def test_data_without_categories_are_refused_in_one_line(
    prepared: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = write_prepared(tmp_path / "bare")
    table = pq.read_table(folder / "items.parquet").drop_columns(["category_path"])
    pq.write_table(table, folder / "items.parquet")
    assert main(["similar", "--source", "bare", "--prepared", str(tmp_path)]) == 1
    said = capsys.readouterr().err
    assert "no categories to ask for" in said
    assert said.count("\n") == 1


def test_an_empty_place_is_a_miss_and_a_level_counts_the_whole_path() -> None:
    labels = np.array([[0, 0], [0, 1], [1, -1]])
    found = np.full((1, K), -1)
    found[0, :2] = [0, 2]
    told = measured(found, np.array([1]), labels)
    assert told == {"filled": 0.2, "level 1": 0.1, "level 2": 0.0}


def test_equal_names_below_different_roots_are_different_categories(prepared: Path) -> None:
    data = load_prepared(prepared / "gifts")
    data.records[0]["category_path"], data.records[1]["category_path"] = ["a", "x"], ["b", "x"]
    found = levels(data)
    assert found[0, 1] != found[1, 1]
    assert found[2, 1] == -1


def test_groups_split_by_buyers_and_lists_are_filled_without_repeating() -> None:
    zeros = np.zeros(9, np.int64)
    rows = np.repeat(np.arange(9), 1)
    bought = Purchases(np.arange(9), rows, zeros, np.ones(9), 9, 10, 1)
    found = groups(np.arange(10), bought, 12, 100, 7)
    assert found["rarely bought"].tolist() == [9]
    assert sorted(found["not in the release"].tolist()) == [10, 11]
    first, second = np.array([[4, -1, -1]]), np.array([[4, 5, 6]])
    assert filled(first, second).tolist() == [[4, 5, 6]]
