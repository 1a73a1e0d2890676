"""Exact search, and what the description of a Milvus collection lets pass."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.recall.exact import ExactIndex
from engine.recall.index import IndexMismatch
from services.adapters.milvus.collection import Description, collection_name, index_for, search_params

pytestmark = pytest.mark.unit

DESCRIPTION = Description("shop-20260101T000000Z", "f" * 64, dim=4, rows=10)


@given(st.lists(st.integers(-3, 3), min_size=1, max_size=40), st.integers(1, 50))
def test_the_best_come_first_and_ties_go_to_the_lower_row(values: list[int], top_k: int) -> None:
    vectors = np.array(values, np.float32)[:, None]
    rows, scores = ExactIndex(vectors).search(np.ones(1, np.float32), top_k, timeout_s=1)
    expected = sorted(range(len(values)), key=lambda row: (-values[row], row))[:top_k]
    assert rows.tolist() == expected
    assert scores.tolist() == [values[row] for row in expected]
    assert rows.dtype == np.int64
    assert scores.dtype == np.float32


def test_a_vector_of_another_length_is_refused() -> None:
    with pytest.raises(ValueError, match="shape"):
        ExactIndex(np.zeros((3, 4), np.float32)).search(np.zeros(5, np.float32), 2, timeout_s=1)


def test_a_description_survives_json() -> None:
    assert Description.from_json(DESCRIPTION.to_json()) == DESCRIPTION


@pytest.mark.parametrize("text", ["", "items of my shop", "[]", "{}", '{"release": "a", "dim": "x"}'])
def test_somebody_elses_collection_is_refused(text: str) -> None:
    with pytest.raises(IndexMismatch, match="description"):
        Description.from_json(text)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({"release": "other"}, "release"),
        ({"fingerprint": "0"}, "fingerprint"),
        ({"dim": 8}, "dim"),
        ({"rows": 11}, "rows"),
        ({"metric": "L2"}, "metric"),
    ],
)
def test_other_vectors_are_refused_by_name(change: dict[str, Any], named: str) -> None:
    with pytest.raises(IndexMismatch, match=named):
        DESCRIPTION.require_same(dataclasses.replace(DESCRIPTION, **change))


def test_the_kind_of_index_may_differ() -> None:
    DESCRIPTION.require_same(dataclasses.replace(DESCRIPTION, index="HNSW"))


def test_small_and_lite_collections_are_flat_and_large_ones_hnsw() -> None:
    assert index_for(10_000, lite=False)["index_type"] == "FLAT"
    assert index_for(1_000_000, lite=True)["index_type"] == "FLAT"
    assert index_for(10_001, lite=False)["index_type"] == "HNSW"


def test_hnsw_looks_at_no_fewer_candidates_than_are_asked_for() -> None:
    assert search_params("HNSW", 100_000, 100)["params"]["ef"] == 256
    assert search_params("HNSW", 100_000, 700)["params"]["ef"] == 700
    assert search_params("HNSW", 2_000_000, 100)["params"]["ef"] == 512


def test_collection_names_are_what_milvus_allows() -> None:
    assert collection_name("ta-feng-20260101T000000Z") == "items_ta_feng_20260101T000000Z"
