"""The guide for one's own data, followed to the letter: its files, its mapping, its commands."""

from __future__ import annotations

import csv
import random
import re
import shlex
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from models.release import Release
from services.settings import ROOT

pytestmark = pytest.mark.integration

GUIDE = (ROOT / "docs" / "your-data.md").read_text("utf-8")
SHOPPERS, PRODUCTS, EVENTS = 120, 60, 3_000
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


def follow(command: str, folder: Path) -> str:
    """Run a line of the guide with this Python and with folders of the test's own; what it printed."""
    words = shlex.split(
        command.replace("my-shop/", f"{folder}/").replace("data/prepared/", f"{folder}/prepared/")
    )
    assert words[0] == ".venv/bin/python"
    place = ["--out", str(folder / ("prepared" if "data.prepare" in words else "releases"))]
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


def test_the_guide_leads_from_one_csv_to_a_release_with_names_and_shoppers(tmp_path: Path) -> None:
    write_shop(tmp_path)
    first, more = blocks("toml")
    prepare, train, prepare_again, train_again = (
        line for block in blocks("sh") for line in block.splitlines() if line
    )
    mapping = tmp_path / "shop.toml"

    mapping.write_text(first, "utf-8")
    follow(prepare, tmp_path)
    bare = pq.read_table(tmp_path / "prepared" / "myshop" / "items.parquet")
    mapping.write_text(first + more, "utf-8")
    follow(prepare_again, tmp_path)
    full = pq.read_table(tmp_path / "prepared" / "myshop" / "items.parquet")
    follow(train_again, tmp_path)

    assert train == train_again
    assert bare["title"][0].as_py().startswith("Product A-")
    assert full.num_rows == PRODUCTS
    assert full["category_path"][0].as_py() == ["Pantry", "Oil"]
    assert full["price"][1].as_py() == pytest.approx(1.9)
    (name,) = (folder.name for folder in (tmp_path / "releases").iterdir() if folder.is_dir())
    release = Release.load(tmp_path / "releases" / name)
    assert release.manifest["dataset"] == "myshop"
    assert {field.name for field in release.schema.user_fields} >= {"region", "age"}


def test_the_other_commands_name_settings_and_targets_that_exist() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    settings = (ROOT / "docs" / "configuration.md").read_text("utf-8")

    for block in blocks("text"):
        for line in block.splitlines():
            words = shlex.split(line)
            assert words[-2] == "make"
            assert re.search(rf"^{words[-1]}:", makefile, re.MULTILINE)
            assert all(f"`{word.split('=')[0]}`" in settings for word in words[:-2])
