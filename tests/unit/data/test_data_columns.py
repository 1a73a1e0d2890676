from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from data.columns import Columns
from data.idset import IdSet
from data.rejects import Rejects
from data.rows import Rows

pytestmark = pytest.mark.unit


def columns(*texts: str) -> tuple[Columns, Rejects]:
    rejects = Rejects()
    rows = Rows("events", "t.csv", ",", ("x",), range(2, 2 + len(texts)), [[text] for text in texts])
    return Columns(rows, rejects), rejects


def kept(cols: Columns, array: Any) -> list[Any]:
    values: list[Any] = cols.keep({"x": array})["x"].to_pylist()
    return values


def reasons(rejects: Rejects) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in rejects.first]


def test_bad_numbers_are_rejected_and_unknown_ones_are_null() -> None:
    cols, rejects = columns("1.5", " 2 ", "", "nan", "x", "1_000", "inf", "-1", "1e3")
    assert kept(cols, cols.number("x", minimum=0)) == [1.5, 2.0, None, None, 1000.0]
    assert reasons(rejects) == [(line, "bad x") for line in (6, 7, 8, 9)]


def test_a_required_number_may_not_be_unknown() -> None:
    cols, rejects = columns("1", "")
    assert kept(cols, cols.number("x", required=True)) == [1.0]
    assert reasons(rejects) == [(3, "no x")]


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        (
            "iso",
            ["2018-02-01 10:00:00", "2018-02-01T10:00:00Z", "2018-02-01T12:00:00.0+02:00"],
            ["2018-02-30", "x"],
        ),
        ("epoch_s", ["1517479200", "1517479200.0"], ["2018-02-01", "1e30", "inf", "1_000"]),
        ("epoch_ms", ["1517479200000"], ["x"]),
        ("%d.%m.%Y %H:%M", ["01.02.2018 10:00"], ["2018-02-01", "31.02.2018 10:00"]),
    ],
)
def test_times_are_read_in_each_form_and_bad_ones_rejected(
    form: str, good: list[str], bad: list[str]
) -> None:
    cols, rejects = columns(*good, *bad, "")
    assert kept(cols, cols.time("x", form)) == [datetime(2018, 2, 1, 10)] * len(good)  # noqa: DTZ001
    assert [reason for _, reason in reasons(rejects)] == ["bad x"] * len(bad) + ["no x"]


@pytest.mark.parametrize(
    "text", ["2018-02-01 10:00:00.5", "2018-02-01 10:00:00.500", "2018-02-01T10:00:00.5000001Z"]
)
def test_fractions_of_seconds_of_any_length_are_kept_to_the_millisecond(text: str) -> None:
    cols, _ = columns(text)
    assert kept(cols, cols.time("x")) == [datetime(2018, 2, 1, 10, 0, 0, 500_000)]  # noqa: DTZ001


def test_the_later_of_two_equal_ids_is_rejected_however_it_is_written() -> None:
    cols, rejects = columns("5", "6", "5.0", "")
    ids, seen = cols.ids("x"), IdSet()
    cols.unique(ids, seen, "x")
    assert kept(cols, ids) == ["5", "6"]
    assert reasons(rejects) == [(4, "duplicate x"), (5, "no x")]
    again, rejects = columns("6.0", "7")
    ids = again.ids("x")
    again.unique(ids, seen, "x")
    assert kept(again, ids) == ["7"]


def test_bytes_that_do_not_decode_reject_only_their_row() -> None:
    cols, rejects = columns("fine", b"Am\xe9lie".decode("utf-8", "surrogateescape"))
    assert kept(cols, cols.text("x")) == ["fine"]
    assert reasons(rejects) == [(3, "wrong encoding")]


def test_a_value_without_a_meaning_is_rejected() -> None:
    cols, rejects = columns("1.0", "9", "")
    assert kept(cols, cols.choice("x", {"1": "view"})) == ["view"]
    assert reasons(rejects) == [(3, "bad x"), (4, "bad x")]
