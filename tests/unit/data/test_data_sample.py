from __future__ import annotations

from collections import Counter, defaultdict
from pathlib import Path

import pytest
from data_files import Run

from data.dataset import load_dataset
from data.sample.generate import generate

pytestmark = pytest.mark.unit

SAMPLE = Path(__file__).parents[3] / "data" / "sample"


def test_the_committed_sample_is_what_the_script_writes(tmp_path: Path) -> None:
    generate(tmp_path)
    for path in tmp_path.iterdir():
        assert path.read_bytes() == (SAMPLE / path.name).read_bytes(), path.name
    assert {path.name for path in tmp_path.iterdir()} == {
        path.name for path in SAMPLE.iterdir() if path.suffix in (".csv", ".dat")
    }


def test_the_sample_has_structure_to_learn_and_says_that_it_is_synthetic(run: Run) -> None:
    result = run("jdata", "--path", SAMPLE)
    assert load_dataset(result.folder / "dataset.toml").synthetic
    assert result.report["tables"]["events"]["rejected"] == 0
    users = {row["user_id"]: (row["age"], row["sex"]) for row in result.rows("users")}
    category = {row["item_id"]: (row["category_path"] or ["?"])[0] for row in result.rows("items")}
    bought: dict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    pairs: Counter[tuple[str, str]] = Counter()
    for event in result.rows("events"):
        if event["type"] == "purchase":
            bought[users[event["user_id"]]][category[event["item_id"]]] += 1
            pairs[event["user_id"], event["item_id"]] += 1
    segments = [counts for counts in bought.values() if sum(counts.values()) > 50]
    shares = [sum(count for _, count in counts.most_common(5)) / sum(counts.values()) for counts in segments]
    assert min(shares) > 0.45  # 5 of 24 categories; without taste about 0.25
    repeats = sum(count - 1 for count in pairs.values()) / sum(pairs.values())
    assert 0.2 < repeats < 0.8
    days = [event["at"].date() for event in result.rows("events")]
    assert 55 <= (max(days) - min(days)).days <= 61


def test_the_originals_files_of_the_sample_hold_the_same_users_and_products(run: Run) -> None:
    sample, original = run("jdata", "--path", SAMPLE), run("original", "--path", SAMPLE, name="original")
    assert original.code == 0
    ids = set(original.column("users", "user_id"))
    assert ids < set(sample.column("users", "user_id"))
    assert set(original.column("items", "item_id")) < set(sample.column("items", "item_id"))
    assert original.rows("events") == []
