from __future__ import annotations

from pathlib import Path

import pytest

from data.dataset import load_dataset, save_dataset
from data.errors import DataError
from data.sources import SOURCES
from data.sources.base import Options
from engine.dataset import Dataset, Feature

pytestmark = pytest.mark.unit

GOOD = """
[dataset]
name = "shop"
title = "Shop"
[events]
positive = ["purchase"]
weights = { view = 0.1 }
[[user_feature]]
name = "age"
kind = "categorical"
display = { en = "Age", zh = "年龄" }
values = ["1", "2"]
[[item_feature]]
name = "price"
kind = "number"
boundaries = [1, 2.5]
"""


def test_a_description_is_read_with_its_defaults(tmp_path: Path) -> None:
    path = tmp_path / "dataset.toml"
    path.write_text(GOOD, encoding="utf-8")
    dataset = load_dataset(path)
    assert (dataset.name, dataset.user_noun, dataset.synthetic, dataset.positive) == (
        "shop",
        "user",
        False,
        ("purchase",),
    )
    assert (dataset.weight("view"), dataset.weight("purchase")) == (0.1, 1.0)
    assert dataset.user_features == (Feature("age", display={"en": "Age", "zh": "年龄"}, values=("1", "2")),)
    assert dataset.item_features == (Feature("price", "number", boundaries=(1.0, 2.5)),)


@pytest.mark.parametrize("source", ["completejourney", "jdata", "movielens", "original", "tafeng"])
def test_what_is_written_is_read_back_equal(source: str, tmp_path: Path) -> None:
    dataset: Dataset = SOURCES[source](Options()).describe()
    save_dataset(dataset, tmp_path / "dataset.toml")
    assert load_dataset(tmp_path / "dataset.toml") == dataset


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('name = "shop"', 'name = "My Shop"', "[dataset] name: use only"),
        ('title = "Shop"', "", "[dataset] title: is missing"),
        ('title = "Shop"', "title = 5", "[dataset] title: must be a string"),
        ('title = "Shop"', 'title = "Shop"\ncolour = "red"', "[dataset] colour: unknown key"),
        ('positive = ["purchase"]', "positive = []", "[events] positive: must be a list of strings"),
        ("view = 0.1", 'view = "much"', "view: must be a number"),
        ("view = 0.1", "view = nan", "view: must be a number"),
        ('name = "age"', 'name = "user_id"', "[[user_feature]] 1: name: use a column name"),
        ('kind = "number"', 'kind = "real"', "[[item_feature]] 1: kind: must be one of"),
        ("[1, 2.5]", "[2.5, 1]", "[[item_feature]] 1: boundaries: are for kind number, ascending"),
        ('values = ["1", "2"]', "buckets = 1", "[[user_feature]] 1: buckets: must be at least 2"),
        ("[[item_feature]]", '[[user_feature]]\nname = "age"\n[[item_feature]]', "'age' is there twice"),
        ("[dataset]", "[dataset", "line 2"),
    ],
)
def test_a_mistake_is_told_in_one_line_with_file_and_key(
    old: str, new: str, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "dataset.toml"
    path.write_text(GOOD.replace(old, new), encoding="utf-8")
    with pytest.raises(DataError) as error:
        load_dataset(path)
    message = str(error.value)
    assert message.startswith(str(path))
    assert told in message
    assert "\n" not in message


def test_a_missing_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="cannot be read"):
        load_dataset(tmp_path / "none.toml")


def test_toml_is_parsed_by_the_one_reader_of_descriptions_and_by_its_strict_checks_only() -> None:
    root = Path(__file__).parents[3]
    folders = ("engine", "data", "models", "services", "webapp", "scripts")
    sources = [file for folder in folders for file in (root / folder).rglob("*.py")]
    found = {str(file.relative_to(root)) for file in sources if "tomllib.loads" in file.read_text("utf-8")}
    assert found == {"engine/dataset.py", "data/dataset.py"}
