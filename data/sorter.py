"""Sorting events by time in bounded memory: sorted runs on disk, then a merge of a few batches at a time."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS

RUN_ROWS = 250_000
FAN_IN = 8
_BATCH_ROWS = 8_192
SORTED = EVENTS.append(pa.field("origin", pa.int64(), nullable=False))


class EventSorter:
    """Takes events in raw order, gives them back by ascending `at`, equal times in raw order.

    Memory: one run while adding, one batch of each of `FAN_IN` runs while merging, however many rows.
    """

    def __init__(self, folder: Path, run_rows: int = RUN_ROWS, batch_rows: int = _BATCH_ROWS) -> None:
        self._folder = folder
        self._run_rows = run_rows
        self._batch_rows = batch_rows
        self._pending: list[Any] = []
        self._pending_rows = 0
        self._runs: list[Path] = []
        self._written = 0
        self.rows = 0

    def add(self, table: Any, origin: Any) -> None:
        """Take a table of schema `EVENTS`; `origin` (int64 [N]) ascends in raw order and goes with it."""
        self._pending.append(table.append_column(SORTED.field("origin"), origin))
        self._pending_rows += table.num_rows
        self.rows += table.num_rows
        if self._pending_rows >= self._run_rows:
            self._spill()

    def sorted(self) -> Iterator[Any]:
        """All events in order, as tables of schema `SORTED`; the runs are deleted as they are used up."""
        self._spill()
        while len(self._runs) > FAN_IN:
            oldest, self._runs = self._runs[:FAN_IN], self._runs[FAN_IN:]
            self._runs.append(self._write(self._merge(oldest)))
            _delete(oldest)
        yield from self._merge(self._runs)
        _delete(self._runs)
        self._runs = []

    def _spill(self) -> None:
        if not self._pending:
            return
        table = _in_order(pa.concat_tables(self._pending))
        self._pending, self._pending_rows = [], 0
        self._runs.append(self._write(iter([table])))

    def _write(self, tables: Iterator[Any]) -> Path:
        path = self._folder / f"run-{self._written:06d}.parquet"
        self._written += 1
        # Dictionary pages of a run's row groups would be held for every run during the merge.
        with pq.ParquetWriter(path, SORTED, compression="lz4", use_dictionary=["type"]) as writer:
            for table in tables:
                writer.write_table(table, row_group_size=self._batch_rows)
        return path

    def _merge(self, runs: list[Path]) -> Iterator[Any]:
        """Merge sorted runs: rows up to the least of the batches' last rows are complete, so they can go."""
        cursors = [cursor for cursor in map(_Cursor, runs) if cursor.table is not None]
        while cursors:
            bound = min(cursor.last() for cursor in cursors)
            yield _in_order(pa.concat_tables([cursor.take(bound) for cursor in cursors]))
            cursors = [cursor for cursor in cursors if cursor.table is not None]


class _Cursor:
    """Reads one sorted run, a row group (of `batch_rows` rows) at a time."""

    def __init__(self, path: Path) -> None:
        # Not iter_batches: it keeps what it has read of every row group until the file's end.
        self._file = pq.ParquetFile(path, pre_buffer=False)
        self._group = 0
        self.table: Any = None
        self._next()

    def _next(self) -> None:
        if self._group == self._file.num_row_groups:
            self.table = None
            self._file.close()
            return
        self.table = self._file.read_row_group(self._group, use_threads=False)
        self._group += 1
        self._at, self._origin = _keys(self.table)

    def last(self) -> tuple[int, int]:
        """(at, origin) of the last row in memory."""
        return int(self._at[-1]), int(self._origin[-1])

    def take(self, bound: tuple[int, int]) -> Any:
        """Remove and return the rows in memory up to and including `bound`."""
        at, origin = bound
        low, high = np.searchsorted(self._at, at, "left"), np.searchsorted(self._at, at, "right")
        count = int(low + np.searchsorted(self._origin[low:high], origin, "right"))
        taken = self.table.slice(0, count)
        if count == self.table.num_rows:
            self._next()
        else:
            self.table = self.table.slice(count)
            self._at, self._origin = self._at[count:], self._origin[count:]
        return taken


def _keys(table: Any) -> tuple[Any, Any]:
    at = table.column("at").combine_chunks().cast(pa.int64()).to_numpy(zero_copy_only=False)
    return at, table.column("origin").combine_chunks().to_numpy(zero_copy_only=False)


def _in_order(table: Any) -> Any:
    at, origin = _keys(table)
    return table.take(pa.array(np.lexsort((origin, at))))


def _delete(paths: list[Path]) -> None:
    for path in paths:
        path.unlink()
