"""Requests of any size on few batch shapes, and the manifest that says what fits."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.features.feeds import Feed
from services.rank.serving.batching import BATCH_SIZES, MAX_ROWS, BadRequest, check, join, split
from services.rank.serving.manifest import BadManifest, read_manifest

pytestmark = pytest.mark.unit

FEEDS = (Feed("ids", np.dtype("int64"), (3,)), Feed("age", np.dtype("float32"), ()))


def request_of(rows: int) -> dict[str, np.ndarray]:
    return {"ids": np.arange(rows * 3).reshape(rows, 3), "age": np.arange(rows, dtype=np.float32)}


@given(st.integers(1, 3000))
def test_rows_come_back_in_order_from_batches_of_known_sizes(rows: int) -> None:
    feeds = request_of(rows)
    batches = split(feeds, check(feeds, FEEDS))
    assert all(len(batch[name]) in BATCH_SIZES for batch in batches for name in batch)
    np.testing.assert_array_equal(join([batch["ids"] for batch in batches], rows), feeds["ids"], strict=True)
    np.testing.assert_array_equal(join([batch["age"] for batch in batches], rows), feeds["age"], strict=True)


def test_padding_repeats_a_valid_row() -> None:
    feeds = {"ids": np.full((2, 3), 7), "age": np.ones(2, np.float32)}
    (batch,) = split(feeds, 2)
    assert set(batch["ids"].ravel().tolist()) == {7}


def test_no_rows_and_too_many_are_refused() -> None:
    with pytest.raises(BadRequest, match="no rows"):
        check(request_of(0), FEEDS)
    with pytest.raises(BadRequest, match="at most"):
        check(request_of(MAX_ROWS + 1), FEEDS)


@pytest.mark.parametrize(
    ("name", "array", "complaint"),
    [
        ("ids", np.zeros((2, 3), np.int32), "ids is int32, the model takes int64"),
        ("ids", np.zeros((2, 4), np.int64), r"ids is \[2, 4\], the model takes \[rows, 3\]"),
        ("age", np.float32(1), r"age is \[\]"),
        ("age", np.zeros(5, np.float32), "age has 5 rows, the others have 2"),
        ("other", np.zeros(2), "unknown feeds: other"),
    ],
)
def test_a_bad_feed_is_named(name: str, array: np.ndarray, complaint: str) -> None:
    with pytest.raises(BadRequest, match=complaint):
        check({**request_of(2), name: np.asarray(array)}, FEEDS)


def test_a_missing_feed_is_named() -> None:
    with pytest.raises(BadRequest, match="missing feeds: age"):
        check({"ids": np.zeros((2, 3), np.int64)}, FEEDS)


def test_the_manifest_gives_release_and_feeds_in_order(tmp_path: Path) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(
        '{"release": "r-1", "models": {"rank": {"feeds": ['
        '{"name": "ids", "dtype": "int64", "shape": [3]},'
        '{"name": "age", "dtype": "float32", "shape": []}]}}}'
    )
    manifest = read_manifest(path)
    assert manifest.release == "r-1"
    assert manifest.feeds == FEEDS


@pytest.mark.parametrize("feeds", ["", ", {}", '{"name": "a", "dtype": "strange", "shape": []}'])
def test_feeds_that_say_too_little_are_refused(tmp_path: Path, feeds: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text('{"release": "r", "models": {"rank": {"feeds": [' + feeds + "]}}}")
    with pytest.raises(BadManifest, match=r"manifest\.json"):
        read_manifest(path)


@pytest.mark.parametrize("text", ["", "[]", '{"release": "r"}'])
def test_a_manifest_that_says_too_little_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "manifest.json"
    path.write_text(text)
    with pytest.raises(BadManifest, match=r"manifest\.json"):
        read_manifest(path)
