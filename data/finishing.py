"""From the sorted events to events.parquet: without stray times and repeats, without what returns take back.

All in passes over files: memory grows with the returned pairs of shopper and item, not with the events.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.canonical import EVENTS
from data.errors import DataError
from data.event_checks import DayCounts, Duplicates
from data.order import times_by_order
from data.rejects import Reject, Rejects
from data.sorter import EventSorter

RETURN = "return"
"""Type of an event that takes back an earlier purchase of the same shopper and item; never written."""

TAKEN_BACK, REPEATED, A_RETURN = "taken back by a return", "duplicate", "return"
"""Reasons for which report.json counts events as left out."""

_ROWS = 100_000
_LEFT_OVER = 0.01  # share of a purchase's value that rounding may leave

Ints = npt.NDArray[np.int64]
Hashes = npt.NDArray[np.uint64]


@dataclass
class Finish:
    """What a source asks for."""

    drop_duplicates: bool = False
    """Of events equal in user, item, type, time and value, one stays."""
    take_back: bool = False
    """There are events of type `RETURN`."""
    order_is_time: bool = False
    """There are no times: see `data/order.py`."""


def write_events(
    events: EventSorter,
    days: DayCounts,
    finish: Finish,
    folder: Path,
    rejects: Rejects,
    notes: Counter[str],
) -> int:
    """Write `folder`/events.parquet; what is left out is counted as left out. Returns the number written.

    Events far from all others by `days` are rejected; repeats that stay are counted in `notes`.
    """
    repeats = Duplicates()
    tables = events.sorted()
    if finish.order_is_time:
        tables = times_by_order(tables, folder)
    elif (bounds := days.bounds()) is not None:
        tables = _within(tables, *bounds, rejects)
    tables = _distinct(tables, repeats, rejects) if finish.drop_duplicates else _counted(tables, repeats)
    written = _write_kept((table.select(EVENTS.names) for table in tables), finish, folder, rejects, notes)
    if repeats.count and not finish.drop_duplicates:
        notes["duplicate_events"] = repeats.count
    return written


def _write_kept(
    tables: Iterator[Any], finish: Finish, folder: Path, rejects: Rejects, notes: Counter[str]
) -> int:
    """Write the tables, returns carried out."""
    target = folder / "events.parquet"
    if not finish.take_back:
        return _write(tables, target)
    everything = folder / "events-with-returns.parquet"
    _write(tables, everything)
    back = _taken_back(everything, notes)
    written = _write(_without(everything, back, rejects), target)
    everything.unlink()
    if not written:
        raise DataError("every purchase is taken back by a return; nothing was written")
    return written


def _write(tables: Iterator[Any], path: Path) -> int:
    written, pending, rows = 0, [], 0
    with pq.ParquetWriter(path, EVENTS, compression="zstd") as out:
        for table in tables:
            pending.append(table)
            rows += table.num_rows
            if rows >= _ROWS:
                out.write_table(pa.concat_tables(pending))
                written, pending, rows = written + rows, [], 0
        if pending:
            out.write_table(pa.concat_tables(pending))
    return written + rows


def _within(tables: Iterator[Any], first: int, last: int, rejects: Rejects) -> Iterator[Any]:
    """The events from `first` to `last` (ms); the others are rejected."""
    for table in tables:
        at = table.column("at").cast(pa.int64())
        inside = pc.and_(pc.greater_equal(at, first), pc.less_equal(at, last))
        for row in table.filter(pc.invert(inside)).to_pylist():
            file, line = rejects.place(row["origin"])
            raw = ",".join(str(row[name]) for name in EVENTS.names)
            rejects.add(Reject("events", file, line, "time far from all others", raw))
        yield table.filter(inside)


def _distinct(tables: Iterator[Any], repeats: Duplicates, rejects: Rejects) -> Iterator[Any]:
    """Without repeats."""
    for table in tables:
        fresh = repeats.add(table)
        rejects.leave_out("events", REPEATED, int((~fresh).sum()))
        yield table.filter(pa.array(fresh))


def _counted(tables: Iterator[Any], repeats: Duplicates) -> Iterator[Any]:
    """All of them; `repeats` counts those that are there twice."""
    for table in tables:
        repeats.add(table)
        yield table


def _taken_back(path: Path, notes: Counter[str]) -> dict[int, float]:
    """Rows of the file whose purchase is taken back, with the value that is left; 0: nothing is.

    A return takes back the newest earlier purchases of the same shopper and item, up to its own value.
    """
    returned: list[Hashes] = []
    for table, _ in _batches(path):
        returned.append(_hash(table.filter(pc.equal(table["type"], RETURN)), "user_id", "item_id"))
    pairs = np.unique(np.concatenate(returned)) if returned else np.empty(0, np.uint64)
    left: dict[int, float] = {}
    open_purchases: dict[int, list[tuple[int, float]]] = {}  # of a returned pair: row, whole value
    for table, start in _batches(path):
        hashes = _hash(table, "user_id", "item_id")
        kinds = table["type"].to_pylist()
        values = table["value"].to_pylist()
        for index in np.flatnonzero(np.isin(hashes, pairs)).tolist():
            purchases = open_purchases.setdefault(int(hashes[index]), [])
            if kinds[index] == "purchase":
                purchases.append((start + index, values[index]))
            elif kinds[index] == RETURN:
                if not purchases:
                    notes["returns_without_a_purchase"] += 1
                _take(purchases, values[index], left)
    return left


def _take(purchases: list[tuple[int, float]], amount: float, left: dict[int, float]) -> None:
    while purchases and amount > 0:
        row, whole = purchases[-1]
        value = left.get(row, whole)
        rest = value - amount
        amount -= value
        left[row] = rest if rest > _LEFT_OVER * whole else 0.0
        if not left[row]:
            purchases.pop()
        if amount <= _LEFT_OVER * whole:
            return


def _without(path: Path, back: dict[int, float], rejects: Rejects) -> Iterator[Any]:
    """The file's events without returns and without what they took back."""
    changed = np.array(sorted(back), np.int64)
    for table, start in _batches(path):
        keep = ~np.asarray(pc.equal(table["type"], RETURN).to_numpy(), np.bool_)
        rejects.leave_out("events", A_RETURN, int((~keep).sum()))
        here = changed[slice(*np.searchsorted(changed, (start, start + table.num_rows)))]
        values = table["value"].to_numpy().copy()
        for row in here.tolist():
            values[row - start] = back[row]
            keep[row - start] = back[row] > 0
        rejects.leave_out("events", TAKEN_BACK, sum(not back[row] for row in here.tolist()))
        index = EVENTS.get_field_index("value")
        yield table.set_column(index, EVENTS.field("value"), pa.array(values)).filter(pa.array(keep))


def _batches(path: Path) -> Iterator[tuple[Any, int]]:
    """The file's tables with the number of their first row, from 0."""
    start = 0
    with pq.ParquetFile(path, pre_buffer=False) as file:
        for group in range(file.num_row_groups):
            table = file.read_row_group(group, use_threads=False)
            yield table, start
            start += table.num_rows


def _hash(table: Any, *names: str) -> Hashes:
    """A 64-bit hash of some columns of every row, [N]."""
    frame = table.select(list(names)).to_pandas()
    return pd.util.hash_pandas_object(frame, index=False, categorize=False).to_numpy(np.uint64)
