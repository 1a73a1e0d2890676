from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.canonical import EVENTS
from data.sorter import FAN_IN, SORTED, EventSorter

pytestmark = pytest.mark.unit


def events(times: list[int], first: int = 0) -> Any:
    """Events at these milliseconds; the item tells the raw order."""
    rows = len(times)
    items = [str(first + row) for row in range(rows)]
    columns = [
        ["u"] * rows,
        items,
        ["view"] * rows,
        pa.array(times, pa.timestamp("ms")),
        pa.array([1.0] * rows, pa.float32()),
    ]
    return pa.table(columns, schema=EVENTS)


def origins(rows: int, first: int = 0) -> Any:
    return pa.array(range(first, first + rows), pa.int64())


def test_more_runs_than_can_be_merged_at_once_come_out_in_order_with_ties_in_raw_order(
    tmp_path: Path,
) -> None:
    draw = random.Random(1)
    times = [draw.randrange(50) for _ in range(3_000)]
    sorter = EventSorter(tmp_path, run_rows=60, batch_rows=7)
    for start in range(0, len(times), 30):
        sorter.add(events(times[start : start + 30], start), origins(30, start))
    assert len(list(tmp_path.iterdir())) > 2 * FAN_IN
    batches = list(sorter.sorted())
    assert max(batch.num_rows for batch in batches) <= 7 * (FAN_IN + 1)
    merged = pa.concat_tables(batches)
    assert merged.schema == SORTED
    expected = sorted(range(len(times)), key=lambda row: times[row])
    assert merged["item_id"].to_pylist() == [str(row) for row in expected]
    assert list(tmp_path.iterdir()) == []


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(-5, 5), max_size=40), st.integers(1, 9))
def test_any_order_is_sorted_stably(
    tmp_path_factory: pytest.TempPathFactory, times: list[int], size: int
) -> None:
    sorter = EventSorter(tmp_path_factory.mktemp("runs"), run_rows=size, batch_rows=2)
    for row, time in enumerate(times):
        sorter.add(events([time], row), origins(1, row))
    found = [item for table in sorter.sorted() for item in table["item_id"].to_pylist()]
    assert found == [str(row) for row in sorted(range(len(times)), key=lambda row: times[row])]
