"""A shop's own data are measured by the commands of the guide, and the report says what was measured."""

from __future__ import annotations

import csv
import json
import random
import re
import shlex
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest

from data.prepare import main as prepare
from engine.features import DAY_MS
from models.evaluation.command import main
from models.evaluation.retail import LastDays, cut_of, fewest_buyers, window_days
from models.training.dataset import DataFault, load_prepared

pytestmark = pytest.mark.unit

_GUIDE = (Path(__file__).parents[3] / "docs" / "your-data.md").read_text("utf-8")
_MAPPING = """
[dataset]
name = "myshop"
title = "My shop"

[events]
file = "receipts.csv"
user_id = "customer"
item_id = "article"
time = "at"
type_constant = "purchase"
"""


def _commands() -> list[list[str]]:
    """The lines of the section's shell blocks, as words."""
    section = _GUIDE.split("\n## Is it good?\n")[1].split("\n## ")[0]
    blocks = re.findall(r"^```bash\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return [shlex.split(line) for block in blocks for line in block.splitlines() if line]


def _write_events(file: Path, events: int, names: tuple[str, str, str], days: float = 60) -> None:
    """Shoppers who buy from one of two halves of the products, on some days from the first of January."""
    chance = random.Random(8)
    start = datetime(2025, 1, 1, tzinfo=timezone.utc)
    with file.open("w", encoding="utf-8", newline="") as out:
        writer = csv.writer(out)
        writer.writerow(names)
        for _ in range(events):
            shopper, product = chance.randrange(40), chance.randrange(15)
            at = start + timedelta(minutes=chance.randrange(int(days * 24 * 60)))
            writer.writerow([f"K{shopper}", f"P{product + 15 * (shopper % 2)}", f"{at:%Y-%m-%dT%H:%M:%S}"])


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with files, a mapping and the prepared dataset of 60 days."""
    home = tmp_path_factory.mktemp("shop")
    _write_events(home / "receipts.csv", 1500, ("customer", "article", "at"))
    (home / "shop.toml").write_text(_MAPPING, "utf-8")
    assert prepare(["mapping", "--mapping", str(home / "shop.toml"), "--out", str(home / "prepared")]) == 0
    for name, days in (("train", 48), ("test", 60)):
        _write_events(home / f"{name}.csv", 500, ("user_id", "item_id", "at"), days)
    return home


@pytest.mark.parametrize("words", _commands(), ids=lambda words: words[-1])
def test_every_command_of_the_guide_measures(
    shop: Path, tmp_path: Path, words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert words[:3] == [".venv/bin/python", "-m", "models.evaluate"]
    given = [word.replace("my-shop/", f"{shop}/") for word in words[3:]]
    place = ["--prepared", str(shop / "prepared"), "--artifacts", str(tmp_path / "kept")]
    assert main([*given, *place, "--out", str(tmp_path / "out")]) == 0
    said = capsys.readouterr().out
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert f"{report['title']}: {report['rows']:,} events" in said
    assert report["metrics"]["all"]["recall_of_truth_at_20"]["mean"] > 0
    if "--source" in given:
        assert (report["dataset"], report["title"], report["rows"]) == ("myshop", "My shop", 1500)
        assert report["window"]["days"] == 15  # a quarter of sixty
        assert report["users"] == report["metrics"]["all"]["users"] > 30
        assert report["min_buyers"] == 2
        assert report["items"] == 30


def test_the_guide_says_how_every_kind_of_method_is_run() -> None:
    methods = {words[words.index("--method") + 1] for words in _commands()}
    assert methods >= {"popularity-recent", "frequency-90d", "ease-trend", "ials", "itemknn", "ease"}


def test_long_data_have_28_days_and_large_ones_20_buyers(shop: Path) -> None:
    data = load_prepared(shop / "prepared" / "myshop")
    assert window_days(data) == 15
    assert cut_of(data, 15) % DAY_MS == 0
    longer = type(data)(**{**data.__dict__, "begin": data.end - 200 * DAY_MS})
    assert window_days(longer) == 28
    assert fewest_buyers(data, data.end) == 2
    many = type(data)(**{**data.__dict__, "events": _many_users(data)})
    assert fewest_buyers(many, many.end) == 15


def _many_users(data: object) -> object:
    """The first event of everybody fifteen hundred times, each of another user."""
    events = data.events  # type: ignore[attr-defined]
    columns = {**events.__dict__, "user": events.user * 0 + range(len(events.user))}
    return type(events)(**columns)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        (["--test-days", "60"], "nothing is before them"),
        (["--min-buyers", "500"], "choose fewer with --min-buyers"),
        (["--test-days", "0"], "whole number of 1 or more"),
    ],
)
def test_what_leaves_nothing_to_measure_is_said(
    shop: Path, capsys: pytest.CaptureFixture[str], given: list[str], said: str
) -> None:
    place = ["--source", "myshop", "--prepared", str(shop / "prepared"), "--method", "popularity"]
    try:
        status = main(["retail", *place, *given])
    except SystemExit as ended:  # of the options themselves
        status = int(ended.code or 0)
    err = capsys.readouterr().err
    assert status != 0
    assert said in err
    assert "Traceback" not in err


def test_a_name_that_was_never_prepared_is_told_with_those_that_were(
    shop: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--prepared", str(shop / "prepared"), "--method", "popularity"]
    assert main(["retail", "--source", "yourshop", *place]) == 1
    err = capsys.readouterr().err
    assert "prepared are myshop" in err
    assert err.count("\n") == 1


def test_the_window_before_the_test_is_as_long_and_ends_where_it_begins(shop: Path) -> None:
    question = LastDays(load_prepared(shop / "prepared" / "myshop"), 15)
    test, before = question.split(), question.split(1)
    assert before.end == test.cut
    assert test.cut - before.cut == 15 * DAY_MS
    with pytest.raises(DataFault, match="nothing is before them"):
        question.split(4)
