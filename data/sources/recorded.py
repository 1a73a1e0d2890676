"""Events that the running shop recorded, joined to those of any source: `--events` of `data.prepare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.canonical import EVENTS, canonical_ids
from data.errors import DataError
from data.sources.base import Progress, Source
from data.writer import PreparedWriter
from engine.dataset import Dataset
from engine.vocabulary import EVENT_TYPES

_BATCH_ROWS = 100_000


class WithRecordedEvents:
    """A source, and after it the events of Parquet files with the columns of the canonical events.parquet.

    Args:
        place: a file, or a folder of which all `*.parquet` are read, as `scripts.export_events` writes them.
            Further columns are ignored. Raises DataError when there is nothing to read.
    """

    has_events = True

    def __init__(self, source: Source, place: Path) -> None:
        self._source = source
        self._recorded = sorted(place.glob("*.parquet")) if place.is_dir() else [place]
        if not self._recorded:
            raise DataError(f"--events {place}: no .parquet file in this folder")

    @property
    def always_read(self) -> bool:
        """Whether the source's input may have changed though its files have not."""
        return bool(getattr(self._source, "always_read", False))

    def files(self) -> Sequence[Path]:
        """The source's files and the recorded ones."""
        return [*self._source.files(), *self._recorded]

    def describe(self) -> Dataset:
        """The source's."""
        return self._source.describe()

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """All of the source, then the recorded events, with their users and items."""
        self._source.write(out, progress)
        if out.finish.order_is_time:
            raise DataError("--events: the source's events have no times, so recorded ones cannot join them")
        for file in self._recorded:
            try:
                table = pq.ParquetFile(file)
                with progress(f"events: {file.name}", table.metadata.num_rows, "rows") as advance:
                    done = 0
                    for batch in table.iter_batches(_BATCH_ROWS, columns=EVENTS.names):
                        _add(out, file, done, pa.Table.from_batches([batch]))
                        done += batch.num_rows
                        advance(batch.num_rows)
            except (OSError, pa.ArrowException) as error:
                raise DataError(f"{file}: {' '.join(str(error).split())}") from error


def _add(out: PreparedWriter, file: Path, done: int, rows: Any) -> None:
    """Add the rows of a file after the first `done`."""
    missing = [name for name in EVENTS.names if name not in rows.schema.names]
    if missing:
        raise DataError(f"{file}: has no column {missing[0]!r}; the columns are {', '.join(EVENTS.names)}")
    columns = {field.name: rows[field.name].cast(field.type).combine_chunks() for field in EVENTS}
    for name, column in columns.items():
        if column.null_count:
            raise DataError(f"{file}: {name} is missing in {column.null_count:,} rows")
    unknown = pc.filter(columns["type"], pc.invert(pc.is_in(columns["type"], pa.array(EVENT_TYPES))))
    if len(unknown):
        allowed = ", ".join(EVENT_TYPES)
        raise DataError(f"{file}: type {unknown[0].as_py()!r} is none of {allowed}")
    for name in ("user_id", "item_id"):
        columns[name] = canonical_ids(columns[name])
    out.add_missing_users(columns["user_id"])
    # Where an item is known from the shop alone, the shop knows whether it can be bought.
    out.add_missing_items(columns["item_id"], available=False)
    first = out.rejects.origin(str(file)) + done + 1
    columns["origin"] = pa.array(np.arange(first, first + rows.num_rows, dtype=np.int64))
    out.events(columns)
    out.notes["recorded_events"] += rows.num_rows
