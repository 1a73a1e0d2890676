"""What prepare takes as the same id, the services and the REST API take as the same, and refuse the same."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from data.canonical import canonical_ids
from data.columns import Columns
from data.rejects import Rejects
from data.rows import Rows
from engine.errors import InvalidArgument
from engine.features import canonical
from engine.ids import NO_IDS, canonical_id
from engine.types import ItemFilter, SearchQuery
from services.common.validate import check_id, check_ids
from services.item.search.query import check_query
from webapp.api.inputs import Id
from webapp.shopper import read_id

pytestmark = pytest.mark.unit

TEXTS = st.one_of(
    st.text(st.characters(codec="utf-8", exclude_characters="\0")),
    st.from_regex(r"\A\s?[+-]?\d{1,3}\.?0*\s?\Z"),
    st.sampled_from([*NO_IDS, "", " ", " nan ", "5.0", "x" * 256, "x" * 257, "é" * 128, "é" * 129, "a\x85b"]),
)


def prepared(text: str) -> str | None:
    """The id that prepare makes of a text; None where it rejects the row."""
    cols = Columns(Rows("events", "f", ",", ["id"], [1], [[text]]), Rejects())
    (kept,) = cols.keep({"id": cols.ids("id")})["id"].to_pylist() or (None,)
    return kept


def served(text: str) -> str | None:
    """The id that a service makes of it; None where it refuses it."""
    try:
        return check_id("item_id", text)
    except InvalidArgument:
        return None


@settings(deadline=None)  # the machine may be busy
@given(TEXTS)
@example("5.0")
@example(" 5\t")
@example("\u00a05")
@example("None")
@example("\\N")
@example("\x1f5")
def test_prepare_services_and_the_shop_agree(text: str) -> None:
    assert prepared(text) == served(text)
    assert read_id(text) == (served(text) or "")


@settings(deadline=None)  # the machine may be busy
@given(TEXTS)
@example("5.0")
def test_training_knows_an_id_by_the_same_spelling(text: str) -> None:
    found = served(text)
    if found is not None:
        assert canonical(text) == found == canonical(found)
    assert canonical_ids(pa.array([text])).to_pylist() == [canonical_id(text)]


@settings(deadline=None)  # the machine may be busy
@given(TEXTS)
@example("5.0")
@example("nan")
def test_the_rest_api_takes_what_its_limits_allow_in_the_same_spelling(text: str) -> None:
    try:
        found: str | None = TypeAdapter(Id).validate_python(text)
    except ValidationError:
        found = None
    assert found is None or found == served(text)
    if served(text) is not None and text.isprintable() and len(text) <= 64:
        assert found is not None


def test_repeated_spellings_of_an_id_are_one() -> None:
    assert check_ids("item_ids", ["5.0", "x", " 5 ", "5"]) == ["5", "x"]
    assert check_query(SearchQuery(variant_of=" 5.0")).variant_of == "5"
    assert ItemFilter(exclude_item_ids=frozenset(["5.0", "a b"])).exclude_item_ids == {"5", "a b"}
