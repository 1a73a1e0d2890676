"""The guide for one's own data, followed to the letter: its files, its mappings, its commands."""

from __future__ import annotations

import csv
import importlib.util
import json
import random
import re
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from engine.release import Release, list_releases
from services.settings import ROOT
from tests.support.shop import Shop
from tests.support.visitor import Visitor

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser under its older name
    import tomli as tomllib

pytestmark = pytest.mark.integration

GUIDE = (ROOT / "docs" / "your-data.md").read_text("utf-8")
SHOPPERS, PRODUCTS, EVENTS = 120, 60, 3_000
FIRST, MORE = "1. Say which column is what", "Add products and shoppers"
GROUPS = ("Pantry > Oil", "Pantry > Olives", "Wine > Red", "Wine > White")


def blocks(language: str) -> list[str]:
    """The guide's code blocks of a language, in order."""
    return re.findall(rf"^```{language}\n(.*?)^```$", GUIDE, re.MULTILINE | re.DOTALL)


def write_shop(folder: Path) -> None:
    """Files with the columns that the guide shows: shoppers who stay with two groups of products each."""
    chance = random.Random(5)
    headers = [block.splitlines()[0].split(";") for block in blocks("csv")]
    start = datetime(2024, 1, 1)  # noqa: DTZ001 - written as the shop writes it, without a zone
    taste = {number: chance.sample(range(len(GROUPS)), 2) for number in range(SHOPPERS)}
    lines = []
    for _ in range(EVENTS):
        shopper = chance.randrange(SHOPPERS)
        product = chance.randrange(PRODUCTS // len(GROUPS)) ** 2 % (PRODUCTS // len(GROUPS)) * len(GROUPS)
        product += chance.choice(taste[shopper])
        at = start + timedelta(minutes=chance.randrange(200 * 24 * 60))
        lines.append(
            (at, f"K-{shopper}", f"A-{product}", chance.choice(["gekauft", "angesehen"]), "1.234,50")
        )
    lines.sort()
    events = [(f"{at:%d.%m.%Y %H:%M}", *rest) for at, *rest in lines]
    products = [
        (f"A-{number}", f"Thing {number}", GROUPS[number % len(GROUPS)], "Alba", f"{number},90", "ja")
        for number in range(PRODUCTS)
    ]
    shoppers = [(f"K-{n}", chance.choice(["north", "south"]), 20 + n % 60) for n in range(SHOPPERS)]
    for name, header, rows in zip(
        ("belege.csv", "artikel.csv", "kunden.csv"), headers, (events, products, shoppers), strict=True
    ):
        with (folder / name).open("w", encoding="utf-8", newline="") as file:
            csv.writer(file, delimiter=";").writerows([header, *rows])


def commands() -> dict[str, list[str]]:
    """The guide's commands by the heading they stand under, in order."""
    found: dict[str, list[str]] = {}
    for heading, text in re.findall(r"^## (.*?)\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL):
        shown = re.findall(r"^```sh\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
        found[heading] = [line for block in shown for line in block.splitlines() if line]
    return found


def mapping(heading: str) -> str:
    """The mapping that the guide shows under a heading."""
    text = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert text is not None
    (shown,) = re.findall(r"^```toml\n(.*?)^```$", text[1], re.MULTILINE | re.DOTALL)
    return str(shown)


def follow(command: str, folder: Path) -> str:
    """Run a line of the guide with this Python and with folders of the test's own; what it printed."""
    text = re.sub(r"\b(my-shop|gift-shop)\b", str(folder), command)
    words = shlex.split(text.replace("data/prepared/", f"{folder}/prepared/"))
    assert words[0] == ".venv/bin/python"
    out = {"data.prepare": "prepared", "models.train": "releases"}.get(words[2])
    place = ["--out", str(folder / out)] if out else []
    done = subprocess.run(
        [sys.executable, *words[1:], *place],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=280,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout + done.stderr


def targets(heading: str) -> list[str]:
    """What the guide says to `make` under a heading, in order."""
    text = re.search(rf"^## {re.escape(heading)}\n(.*?)(?=^## |\Z)", GUIDE, re.MULTILINE | re.DOTALL)
    assert text is not None
    return re.findall(r"^ECRS_DATASET=myshop make (\w+)$", text[1], re.MULTILINE)


@pytest.mark.timeout(1500)
def test_the_guide_leads_from_one_csv_to_an_open_shop_and_on_to_names_and_shoppers(tmp_path: Path) -> None:
    write_shop(tmp_path)
    steps = commands()
    init, check = steps[FIRST]
    (prepare,) = steps["2. Prepare"]
    (train,) = steps["3. Train"]
    file = tmp_path / "shop.toml"

    follow(init, tmp_path)
    first = mapping(FIRST)
    shown = tomllib.loads(first)["events"]
    # What init found needs no correction here.
    assert {key: tomllib.loads(file.read_text("utf-8"))["events"].get(key) for key in shown} == shown
    file.write_text(first, "utf-8")
    follow(check, tmp_path)
    follow(prepare, tmp_path)
    assert targets("4. Open the shop") == ["up"]
    with Shop(tmp_path, "myshop").running() as shop:  # make up, which trains: nothing has been released yet
        visitor = Visitor(shop.front_ends[0])
        (bare,) = list_releases(tmp_path / "releases")
        assert "Product A-" in visitor.read("/")
        file.write_text(first + mapping(MORE), "utf-8")
        assert steps[MORE] == [prepare, train]
        follow(prepare, tmp_path)
        follow(train, tmp_path)
        served = {row["release"] for row in shop.status().values()} - {""}
        for target in targets(MORE):
            done = shop.command(target)
            assert done.returncode == 0, done.stdout + done.stderr
        switched = {row["release"] for row in shop.status().values()} - {""}
        shown = visitor.read("/items/A-1")
        form = visitor.read("/register")

    assert targets(MORE) == ["load", "release"]
    full = pq.read_table(tmp_path / "prepared" / "myshop" / "items.parquet")
    assert full.num_rows == PRODUCTS
    assert full["category_path"][0].as_py() == ["Pantry", "Oil"]
    assert full["price"][1].as_py() == pytest.approx(1.9)
    (rich,) = {*list_releases(tmp_path / "releases")} - {bare}
    assert (served, switched) == ({bare}, {rich})
    release = Release.load(tmp_path / "releases" / rich)
    assert {field.name for field in release.schema.user_fields} >= {"region", "age"}
    assert "Thing 1" in shown
    assert "north" in form


def test_the_made_up_shop_is_prepared_as_the_guide_says_without_postage_fees_and_returns(
    tmp_path: Path,
) -> None:
    make, check, prepare = commands()["Try it on a made-up shop"]

    follow(make, tmp_path)
    assert "prepare would accept this" in follow(check, tmp_path)
    follow(prepare, tmp_path)

    assert (tmp_path / "shop.toml").read_text("utf-8") == mapping("What real files have beside sales")
    prepared = tmp_path / "prepared" / "giftshop"
    items = pq.read_table(prepared / "items.parquet")
    titles = " ".join(items["title"].to_pylist())
    assert not re.search(r"postage|\bfee\b|charge|manual", titles, re.IGNORECASE)
    with (tmp_path / "invoices.csv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file))
    assert any(line["StockCode"] == "POST" for line in lines)
    sold = {line["StockCode"] for line in lines if line["StockCode"][0].isdigit() and line["Customer ID"]}
    assert set(items["item_id"].to_pylist()) <= sold
    counts = json.loads((prepared / "report.json").read_text())["tables"]["events"]
    assert counts["left_out"]["return"] == sum(
        int(line["Quantity"]) < 0 and bool(line["Customer ID"]) for line in lines
    )


def test_the_guides_query_is_read_from_a_database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "shop.toml").write_text(mapping("From the shop's database"), "utf-8")
    with closing(sqlite3.connect(tmp_path / "shop.db")) as database:
        database.execute("CREATE TABLE order_lines (customer_id, product_id, ordered_at, quantity, price)")
        database.execute("INSERT INTO order_lines VALUES (5, 'A-1', '2024-01-31 18:05:00', 2, 1.5)")
        database.commit()
    monkeypatch.setenv("SHOP_DB_URL", "sqlite:///shop.db")

    follow(commands()["2. Prepare"][0], tmp_path)

    (event,) = pq.read_table(tmp_path / "prepared" / "myshop" / "events.parquet").to_pylist()
    assert (event["user_id"], event["item_id"], event["value"]) == ("5", "A-1", 3.0)


def test_the_other_commands_name_settings_targets_and_programs_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    settings = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    for line in [line for block in [*blocks("text"), *blocks("bash")] for line in block.splitlines()]:
        words = shlex.split(line, comments=True)
        if words[0] == ".venv/bin/python":
            assert words[1] == "-m"
            assert importlib.util.find_spec(words[2]) is not None, line
            continue
        assert words[-2] == "make", line
        assert re.search(rf"^{words[-1]}:", makefile, re.MULTILINE), line
        assert all(f"`{word.split('=')[0]}`" in settings for word in words[:-2]), line
