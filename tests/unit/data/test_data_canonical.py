from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.canonical import canonical_ids, items_schema, users_schema
from engine.dataset import Dataset, Feature
from engine.ids import canonical_id

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("raw", "canonical"),
    [
        ("5.0", "5"),
        ("5", "5"),
        (" 5.00\t", "5"),
        ("-1.0", "-1"),
        ("0.0", "0"),
        ("5.5", "5.5"),
        ("5.", "5."),
        ("007", "007"),
        ("v1.0", "v1.0"),
        ("1.0.0", "1.0.0"),
        ("", ""),
    ],
)
def test_a_number_in_text_form_loses_a_trailing_zero_fraction_and_nothing_else(
    raw: str, canonical: str
) -> None:
    assert canonical_id(raw) == canonical


@given(st.lists(st.one_of(st.text(st.characters(codec="utf-8")), st.from_regex(r"\s?[+-]?\d{1,3}\.?0*\n?"))))
def test_one_id_and_a_column_of_ids_get_the_same_spelling(texts: list[str]) -> None:
    assert canonical_ids(pa.array(texts, pa.string())).to_pylist() == [canonical_id(text) for text in texts]


@given(st.text(st.characters(codec="utf-8")))
def test_a_canonical_id_stays_as_it_is_when_trimmed_once(text: str) -> None:
    once = canonical_id(text)
    assert canonical_id(once) == once


def test_the_tables_have_one_column_a_further_feature() -> None:
    dataset = Dataset(
        name="x",
        title="X",
        positive=("purchase",),
        user_features=(Feature("age"), Feature("height", "number"), Feature("likes", "multi")),
        item_features=(
            Feature("brand"),
            Feature("category_2"),
            Feature("price", "number"),
            Feature("colour"),
        ),
    )
    assert users_schema(dataset).names == ["user_id", "age", "height", "likes"]
    assert users_schema(dataset).types == [pa.string(), pa.string(), pa.float64(), pa.list_(pa.string())]
    assert items_schema(dataset).names[-2:] == ["variant_of", "colour"]
