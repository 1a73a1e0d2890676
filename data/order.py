"""Times for events that have none, from the order of their rows."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS
from data.sorter import SORTED, EventSorter

_YEAR_MS = 365 * 24 * 3600 * 1000
_YEAR_BEGIN_MS = 946_684_800_000  # 2000-01-01: a fixed year, so that the same rows give the same events
_LEAST = 10  # shoppers: of fewer, rows may come one shopper after the other by chance
_AT = EVENTS.get_field_index("at")

Floats = npt.NDArray[np.float64]


def times_by_order(tables: Iterator[Any], folder: Path) -> Iterator[Any]:
    """The events with times within one year, in order of these.

    Where rows come in any order of shoppers, it is taken for the order of time: row r of N is at r/N of the
    year. Where they are sorted by shopper, it says nothing of time between shoppers, and nobody would ever
    come back: there each shopper's rows are spread over the whole year, from a place of the shopper's own.

    Args:
        tables: schema `SORTED`, in order of the rows.
        folder: for temporary files.
    """
    kept, begun, who, last = folder / "events-in-order.parquet", [], [], np.uint64(0)
    count = 0
    with pq.ParquetWriter(kept, SORTED, compression="lz4") as out:
        for table in tables:
            if table.num_rows:
                out.write_table(table)
                shopper = _hash(table)
                before = np.append(last if count else shopper[0] + np.uint64(1), shopper[:-1])
                (first,) = np.nonzero(shopper != before)
                begun.append(first + count)
                who.append(shopper[first])
                last, count = shopper[-1], count + table.num_rows
    starts = np.concatenate([*begun, np.array([count])]) if begun else np.zeros(1, np.int64)
    shoppers = np.concatenate(who) if who else np.zeros(0, np.uint64)
    by_shopper = len(shoppers) >= _LEAST and count >= 2 * len(shoppers) == 2 * len(np.unique(shoppers))
    try:
        again = (pa.Table.from_batches([batch]) for batch in pq.ParquetFile(kept).iter_batches(100_000))
        if not by_shopper:
            yield from _timed(again, lambda place: place / max(1, count))
            return
        sorter = EventSorter(folder)
        for table in _timed(again, lambda place: _own_share(place, starts, shoppers)):
            sorter.add(table.select(EVENTS.names), table["origin"].combine_chunks())
        yield from sorter.sorted()
    finally:
        kept.unlink()


def _own_share(place: Any, starts: Any, shoppers: Any) -> Floats:
    """Where in the year row number `place` [N] is: row k of a shopper's n at (k + phase) / n."""
    run = np.searchsorted(starts, place, "right") - 1
    phase = (shoppers[run] >> np.uint64(11)).astype(np.float64) / 2.0**53  # 0 … 1, by the id alone
    share: Floats = (place - starts[run] + phase) / (starts[run + 1] - starts[run])
    return share


def _timed(tables: Iterator[Any], share: Any) -> Iterator[Any]:
    place = 0
    for table in tables:
        part = share(np.arange(place, place + table.num_rows))
        at = _YEAR_BEGIN_MS + np.floor(part * _YEAR_MS).astype(np.int64)
        yield table.set_column(_AT, EVENTS.field("at"), pa.array(at).cast(pa.timestamp("ms")))
        place += table.num_rows


def _hash(table: Any) -> npt.NDArray[np.uint64]:
    ids = table["user_id"].combine_chunks().to_pandas()
    return np.asarray(pd.util.hash_array(ids.to_numpy(object)), np.uint64)
