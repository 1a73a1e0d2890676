"""Writing a prepared dataset: streamed into a hidden folder beside its place, renamed when complete."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS, items_schema, users_schema
from data.content import clean_content
from data.dataset import save_dataset
from data.errors import DataError
from data.event_checks import DayCounts
from data.finishing import Finish, write_events
from data.idset import IdSet
from data.rejects import Rejects
from data.sorter import EventSorter
from engine.dataset import Dataset

_BUFFER_ROWS = 100_000


class PreparedWriter:
    """A context manager. Until `commit` the old prepared dataset, if any, is untouched; leaving without
    `commit` (an error, Ctrl-C) removes what was written; the next run removes what a killed one left.
    The list of rejects alone is kept then, at `kept_rejects`, and the error tells so.

    >>> with PreparedWriter(out, dataset, rejects) as writer:    # doctest: +SKIP
    ...     writer.users({"user_id": ids, "age": ages})
    ...     writer.commit({"source": "jdata"})
    """

    def __init__(self, out: Path, dataset: Dataset, rejects: Rejects) -> None:
        self.dataset = dataset
        self.rejects = rejects
        self.user_ids = IdSet()
        self.item_ids = IdSet()
        self.notes: Counter[str] = Counter()
        """Counts worth reporting that are no rejects, e.g. rows left out on purpose."""
        self.finish = Finish()
        """What is done to the events when all are there."""
        self.target = out / dataset.name
        self._work = out / f".{dataset.name}.tmp"
        self._lock: TextIO | None = None
        self._days = DayCounts()

    @property
    def kept_rejects(self) -> Path:
        """Where rejects.csv is after a run that stopped; the next run replaces it."""
        return self.target.with_name(f"{self.target.name}.rejects.csv")

    def __enter__(self) -> PreparedWriter:
        try:
            self.target.parent.mkdir(parents=True, exist_ok=True)
            self._lock = lock(self.target)
            restore(self.target)
            shutil.rmtree(self._work, ignore_errors=True)
            self.kept_rejects.unlink(missing_ok=True)
            self._work.mkdir()
            self._runs = self._work / "runs"
            self._runs.mkdir()
            self.rejects.open(self._work / "rejects.csv")
            self._users = _TableWriter(self._work / "users.parquet", users_schema(self.dataset))
            self._items = _TableWriter(self._work / "items.parquet", items_schema(self.dataset))
            self._events = EventSorter(self._runs)
        except OSError as error:
            raise _not_written(self.target, error) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._users.close()
        self._items.close()
        self.rejects.close()
        told = "" if error is None else self._keep_rejects()
        shutil.rmtree(self._work, ignore_errors=True)
        if self._lock is not None:
            self._lock.close()
        if isinstance(error, OSError):
            raise DataError(f"{_not_written(self.target, error)}{told}") from error
        if told and isinstance(error, DataError):
            raise DataError(f"{error}{told}") from error
        if told and isinstance(error, KeyboardInterrupt):
            raise KeyboardInterrupt(told.strip()) from error

    def _keep_rejects(self) -> str:
        """Move rejects.csv out of the folder that goes; returns the sentence that tells it."""
        if not self.rejects.total:
            return ""
        try:
            (self._work / "rejects.csv").replace(self.kept_rejects)
        except OSError:
            return ""
        return f" Rejected so far: {self.kept_rejects}"

    def users(self, columns: Mapping[str, Any]) -> None:
        """Append users: Arrow arrays by column; a column left out is null. The ids must be new."""
        self._users.write(columns)

    def items(self, columns: Mapping[str, Any]) -> None:
        """Append items: Arrow arrays by column; `available` left out is true. The ids must be new.

        Descriptions, addresses and parents are cleaned (`data.content`).
        """
        rows = len(columns["item_id"])
        defaults = {
            "available": pa.array([True]).take(pa.array([0] * rows, pa.int32())),
            "category_path": pa.array([[]] * rows, pa.list_(pa.string())),
        }
        self._items.write({**defaults, **clean_content(columns, self.notes)})

    def events(self, columns: Mapping[str, Any]) -> None:
        """Append events in raw order: user_id, item_id, type, at, value, and `Columns.origin` if known.

        `data.finishing.RETURN` as type takes an earlier purchase back.
        """
        table = pa.table([columns[name] for name in EVENTS.names], schema=EVENTS)
        origin = columns.get("origin")
        if origin is None:
            first = self.rejects.origin("") + self._events.rows + 1
            origin = pa.array(np.arange(first, first + table.num_rows, dtype=np.int64))
        self._days.add(table.column("at"))
        self._events.add(table, origin)

    def add_missing_users(self, ids: Any) -> None:
        """Give users who have events but no row of their own one with unknown features."""
        new = ids.filter(pa.array(self.user_ids.add(ids)))
        if len(new):
            self.users({"user_id": new})
            self.notes["users_without_profile"] += len(new)

    def add_missing_items(self, ids: Any, *, available: bool) -> None:
        """Give items with events but no row one with a title only.

        `available`: whether they are offered; if not, the rows only keep histories whole (docs/adr/0011).
        """
        new = ids.filter(pa.array(self.item_ids.add(ids)))
        if len(new):
            titles = pa.array([f"Product {item}" for item in new.to_pylist()], pa.string())
            self.items({"item_id": new, "title": titles, "available": pa.array([available] * len(new))})
            self.notes["items_without_details"] += len(new)

    def commit(self, report: Mapping[str, Any], *, need_events: bool = True) -> dict[str, Any]:
        """Check the reject threshold, sort the events, write the report, and put the folder in its place.

        Returns the report. Raises `DataError` when too many rows were rejected or nothing is left.
        """
        self.rejects.check()
        for what, rows in (
            ("users", self._users.rows),
            ("items", self._items.rows),
            ("events", self._events.rows),
        ):
            if not rows and (need_events or what != "events"):
                raise DataError(
                    f"{self.dataset.name}: no usable {what} in the raw files; nothing was written"
                )
        self._users.close()
        self._items.close()
        events = write_events(self._events, self._days, self.finish, self._work, self.rejects, self.notes)
        self.rejects.check()
        self.rejects.close()
        counts = {"users": self._users.rows, "items": self._items.rows, "events": events}
        self._runs.rmdir()
        save_dataset(self.dataset, self._work / "dataset.toml")
        full = {
            "dataset": self.dataset.name,
            **report,
            "rows": counts,
            "tables": self.rejects.counts(),
            "notes": dict(self.notes),
            "first_rejects": self.rejects.listed(),
        }
        text = json.dumps(full, indent=2, ensure_ascii=True) + "\n"
        (self._work / "report.json").write_text(text, encoding="utf-8")
        _replace(self._work, self.target)
        return full


class _TableWriter:
    """Streams columns into one Parquet file with row groups of a useful size."""

    def __init__(self, path: Path, schema: Any) -> None:
        self._schema = schema
        self._writer = pq.ParquetWriter(path, schema, compression="zstd")
        self._pending: list[Any] = []
        self._pending_rows = 0
        self.rows = 0

    def write(self, columns: Mapping[str, Any]) -> None:
        rows = len(next(iter(columns.values())))
        arrays = [
            columns[field.name] if field.name in columns else pa.nulls(rows, field.type)
            for field in self._schema
        ]
        self._pending.append(pa.table(arrays, schema=self._schema))
        self._pending_rows += rows
        self.rows += rows
        if self._pending_rows >= _BUFFER_ROWS:
            self._flush()

    def close(self) -> None:
        self._flush()
        self._writer.close()

    def _flush(self) -> None:
        if self._pending:
            self._writer.write_table(pa.concat_tables(self._pending))
            self._pending, self._pending_rows = [], 0


def lock(target: Path) -> TextIO:
    """Take the dataset's lock until the returned file is closed (or the process ends, however it ends)."""
    handle = (target.parent / f".{target.name}.lock").open("w")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        handle.close()
        raise DataError(f"{target}: another run is preparing this dataset; wait for it to end") from error
    return handle


def restore(target: Path) -> None:
    """Finish what a run killed between the two renames of `_replace` left behind."""
    old = target.parent / f".{target.name}.old"
    if old.exists():
        if target.exists():
            shutil.rmtree(old)
        else:
            old.rename(target)


def _replace(work: Path, target: Path) -> None:
    old = target.parent / f".{target.name}.old"
    if target.exists():
        target.rename(old)
    work.rename(target)
    shutil.rmtree(old, ignore_errors=True)


def _not_written(target: Path, error: OSError) -> DataError:
    return DataError(
        f"{error.filename or target}: cannot be written: {error.strerror or error}; nothing was replaced"
    )
