"""Times far from all others, and events that are there twice."""

from __future__ import annotations

from datetime import date, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from data_files import Run
from hypothesis import given, settings
from hypothesis import strategies as st

from data.canonical import EVENTS
from data.event_checks import DAY_MS, DayCounts, Duplicates

pytestmark = pytest.mark.unit

SHOP = """
[dataset]
name = "shop"
title = "My shop"
[events]
file = "log.csv"
user_id = "user"
item_id = "item"
time = "when"
type_constant = "purchase"
"""


def bounds(days: list[tuple[date, int]]) -> tuple[date, date] | None:
    counts = DayCounts()
    for day, events in days:
        counts.add(pa.array([datetime(day.year, day.month, day.day)] * events, pa.timestamp("ms")))  # noqa: DTZ001
    found = counts.bounds()
    return None if found is None else tuple(date(1970, 1, 1) + timedelta(ms // DAY_MS) for ms in found)  # type: ignore[return-value]


def every_week(first: date, weeks: int, events: int = 10) -> list[tuple[date, int]]:
    return [(first + timedelta(weeks=week), events) for week in range(weeks)]


BULK = every_week(date(2025, 1, 1), 52)
END = BULK[-1][0]


@pytest.mark.parametrize(
    ("others", "expected"),
    [
        ([], None),
        ([(date(2001, 1, 1), 5)], (date(2025, 1, 1), END)),
        ([(date(2001, 1, 1), 6)], None),  # more than 1 %: a history, not a mistake
        ([(date(2024, 3, 1), 5)], None),  # within a year
        ([(date(1999, 1, 1), 1), (date(2001, 1, 1), 2), (date(2023, 1, 1), 2)], (date(2025, 1, 1), END)),
        ([(date(2001, 1, 1), 2), (date(2028, 1, 1), 3)], (date(2025, 1, 1), END)),
    ],
)
def test_a_few_events_beyond_a_long_gap_are_out(
    others: list[tuple[date, int]], expected: tuple[date, date] | None
) -> None:
    assert bounds(BULK + others) == expected


def test_a_gap_shorter_than_the_history_is_none() -> None:
    history = every_week(date(2010, 1, 1), 520)
    assert bounds([*history, (date(2024, 1, 1), 3)]) is None
    assert bounds([*history, (date(2034, 1, 1), 3)]) == (history[0][0], history[-1][0])


def test_few_events_are_never_judged() -> None:
    assert bounds([(date(2001, 1, 1), 1), (date(2026, 1, 1), 98)]) is None
    assert bounds([]) is None


Event = tuple[str, str, int, float]


EVENT = st.tuples(
    st.sampled_from("uv"), st.sampled_from("ab"), st.integers(0, 3), st.sampled_from([1.0, 2.0])
)


@settings(deadline=None)
@given(st.lists(EVENT), st.integers(1, 5))
def test_duplicates_are_counted_across_batches(events: list[Event], size: int) -> None:
    events.sort(key=lambda event: event[2])
    duplicates = Duplicates()
    for start in range(0, len(events), size):
        users, items, times, values = zip(*events[start : start + size], strict=True)
        kinds = ["view"] * len(users)
        columns = [users, items, kinds, pa.array(times, pa.timestamp("ms")), pa.array(values, pa.float32())]
        duplicates.add(pa.table([pa.array(column) for column in columns], schema=EVENTS))
    assert duplicates.count == len(events) - len(set(events))


def test_prepare_names_file_and_line_of_an_outlier_and_counts_duplicates(raw: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(SHOP)
    rows = [f"u{n},i{n % 3},2026-01-{1 + n % 28:02}" for n in range(200)]
    rows[100] = "u1,i1,2001-01-01"
    rows[150] = rows[149]
    (raw / "log.csv").write_text("user,item,when\n" + "\n".join(rows) + "\n")
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 0, result.stderr
    reject = ["log.csv", "102", "time far from all others", "u1,i1,purchase,2001-01-01 00:00:00,1.0"]
    assert result.rejects == [reject]
    assert result.report["rows"]["events"] == len(result.rows("events")) == 199
    assert result.report["tables"]["events"]["kept"] == 199
    assert result.report["notes"]["duplicate_events"] == 1
    assert "duplicate events: 1 (0.5%)" in " ".join(result.stdout.split())
