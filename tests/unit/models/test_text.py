"""Titles and descriptions as terms: the same for the same words, however they are written."""

from __future__ import annotations

import doctest
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.dataset import dataset_of
from engine.features import FeatureEncoder, FeatureSchema, ItemTable, text
from engine.features.text import TextHasher, parts, words
from models.registry import make_tower
from models.training.catalogue import build_schema
from models.training.config import QUICK, TowerConfig
from models.training.dataset import load_prepared
from models.training.export import TOLERANCE, export_network
from models.training.fitting import tensors
from tests.unit.models.conftest import DESCRIPTION, NOW, record
from tests.unit.models.prepared import write_prepared

pytestmark = pytest.mark.unit

LENGTH, BUCKETS = 24, 512


def read(title: object, description: object = "") -> list[int]:
    return TextHasher(7).bag({"title": title, "description": description}, BUCKETS, LENGTH)


@pytest.fixture
def schema() -> FeatureSchema:
    settings = {"category_levels": 2, "n_item_ids": 12, "sequence_length": 8}
    return FeatureSchema.from_dataset(
        dataset_of(DESCRIPTION), text_buckets=BUCKETS, text_length=LENGTH, **settings
    )


def test_the_examples_in_the_docstrings_hold() -> None:
    assert doctest.testmod(text).failed == 0


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Crème Brûlée", "CREME BRULEE"),
        ("Mug 0.50 Litre", "mug 0,5l"),
        ("1,000 pcs", "1000 pieces"),
        ("Kids' mug", "kids\u2019 MUG"),
        ("ＭＵＧ ５００ｍｌ", "mug 500 ML"),
        ("Straße", "STRASSE"),
    ],
)
def test_the_same_words_written_otherwise_are_the_same_terms(one: str, other: str) -> None:
    assert read(one) == read(other) != []


def test_japanese_and_korean_signs_stay_whole() -> None:
    assert words("ガラス") == ["ガラ", "ラス"]
    assert words("도자기 컵") == ["도자", "자기", "컵"]
    assert words("白色陶瓷杯")[-1] == "瓷杯"


def test_compounds_and_plurals_share_parts() -> None:
    assert set(parts("kerzenhalter")) & set(parts("teelichthalter")) >= {"halte", "lter>"}
    assert set(read("mugs")) & set(read("mug"))
    assert not set(read("mug")) & set(read("lantern"))


@pytest.mark.parametrize(
    "value", ["", None, " ", "!?", "\x00", "\ud800", 5.0, float("nan"), "x" * 100_000, "💐", "ﷺ" * 600]
)
def test_no_title_whatever_it_is_upsets_it(value: object) -> None:
    assert len(read(value, value)) <= LENGTH
    assert all(0 < code < BUCKETS for code in read(value, value))


def test_a_long_description_leaves_the_title_its_place() -> None:
    assert read("Heart mug", "in a box " * 500)[: len(read("Heart mug"))] == read("Heart mug")


def test_terms_have_the_same_numbers_in_another_process() -> None:
    code = "from engine.features.text import TextHasher as T; print(T(7).bag({'title': 'Mug 白色'}, 512, 9))"
    told = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONHASHSEED": "77"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stdout.strip() == "[245, 362, 240, 63, 446, 495, 376]"
    assert TextHasher(7).bag({"title": "Mug 白色"}, 512, 9) == [245, 362, 240, 63, 446, 495, 376]


def test_another_seed_gives_other_numbers() -> None:
    assert TextHasher(8).bag({"title": "mug"}, BUCKETS, LENGTH) != read("mug")


def test_training_and_a_live_item_read_a_text_alike(schema: FeatureSchema) -> None:
    records = [{**record(n), "description": "Of fine bone china"} for n in range(12)]
    whole = FeatureEncoder(schema, ItemTable.from_records(schema, records, NOW))
    loaded = FeatureSchema.from_json(schema.to_json())
    live = FeatureEncoder(loaded, ItemTable.from_records(loaded, records[9:], NOW))
    fed = live.item_tower(np.arange(3))["item_text"]
    wanted = whole.item_tower(np.arange(9, 12))["item_text"]
    assert (fed.dtype, fed.shape) == (np.int64, (3, LENGTH))
    np.testing.assert_array_equal(fed, wanted)
    assert fed[:, 0].all()


def test_text_is_part_of_the_fingerprint(schema: FeatureSchema) -> None:
    assert replace(schema, text_length=16).fingerprint() != schema.fingerprint()


def test_a_catalogue_without_texts_has_no_feed_for_them(tmp_path: Path) -> None:
    data = load_prepared(write_prepared(tmp_path))
    bare = [{**item, "title": ""} for item in data.records]
    silent, titled = (build_schema(data, records, QUICK) for records in (bare, data.records))
    assert (silent.text_length, silent.text_buckets) == (0, 2)
    assert 0 < titled.text_length <= QUICK.tower.text_length
    encoder = FeatureEncoder(silent, ItemTable.from_records(silent, bare, NOW))
    assert list(encoder.item_tower(np.arange(3))) == ["item_sparse"]


def test_an_item_that_nobody_bought_is_told_from_others_by_its_title(
    schema: FeatureSchema, tmp_path: Path
) -> None:
    tower = make_tower(schema, TowerConfig(embedding_dim=8, hidden=(16,)))
    known = [record(n) for n in range(12)]
    tower.fit_statistics(ItemTable.from_records(schema, known, NOW).text)
    alike = {**record(1), "category_path": [], "brand": "", "price": None}
    new = [
        {**alike, "sku_id": name, "title": title} for name, title in (("a", "Mug"), ("b", "Bowl"), ("c", ""))
    ]
    table = ItemTable.from_records(schema, [*known, *new], NOW)
    rows = table.row_of(["a", "b", "c"])
    encoder = FeatureEncoder(schema, table)
    feeds = dict(encoder.item_tower(np.append(rows, np.arange(12))))
    tower.eval()
    vectors = tower.item(tensors(feeds)).numpy()
    assert np.abs(vectors[0] - vectors[1]).max() > 1e-3
    assert np.isfinite(vectors).all()
    entry = export_network(tower.item, feeds, tmp_path / "item_tower", "item_vector")
    assert [feed["name"] for feed in entry["feeds"]] == ["item_sparse", "item_text"]
    assert max(entry["max_difference"].values()) <= TOLERANCE
