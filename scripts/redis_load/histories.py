"""Histories from events.parquet, in bounded memory: one pass over the file for each share of the users."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.canonical import EVENTS
from engine.errors import InvalidArgument
from scripts.redis_load.problems import Problems
from scripts.redis_load.sources import Part, Row, batches, count_rows
from services.common.validate import check_id
from services.user.codec import BROWSING, pack_columns, type_code
from services.user.history import newest_places

EVENTS_IN_MEMORY = 4_000_000  # about 0.5 GB with ids of ten characters
_BATCH_ROWS = 100_000

IntArray = npt.NDArray[np.int64]


def prepared_histories(folder: Path, length: int, in_memory: int = EVENTS_IN_MEMORY) -> Part:
    """The newest `length` events of each user, newest first, packed; a row per user.

    Up to half of them are kept for events that are no browsing, however old.
    """
    file = folder / "events.parquet"
    total = count_rows(file)
    shares = -(-total // in_memory) or 1

    def rows(problems: Problems) -> Iterator[Row]:
        for share in range(shares):
            yield from _share(file, share, shares, length, problems)

    return Part("histories", (file,), None, rows, may_be_empty=True)


def _share(file: Path, share: int, shares: int, length: int, problems: Problems) -> Iterator[Row]:
    """Histories of the users whose id falls into this share."""
    kept = [batch for batch in _events_of(file, share, shares, problems) if batch.num_rows]
    problems.check()
    if not kept:
        return
    events = pa.concat_tables(kept).unify_dictionaries().combine_chunks()
    users, items, types = (events[name].chunk(0) for name in ("user_id", "item_id", "type"))
    user_codes: IntArray = users.indices.to_numpy().astype(np.int64)
    at: IntArray = events["at"].chunk(0).cast(pa.int64()).to_numpy()
    values = events["value"].chunk(0).to_numpy().astype("<f8")
    codes = np.array([type_code(name) for name in types.dictionary.to_pylist()], np.uint8)
    type_codes = codes[types.indices.to_numpy()]
    browsing = np.isin(np.arange(256), [type_code(name) for name in BROWSING])
    item_codes = items.indices.to_numpy()
    item_names = np.array(items.dictionary.to_pylist(), object)
    # By user, newest first; of equal times the one that came later in the file is the newer.
    order = np.lexsort((-np.arange(len(at)), -at, user_codes))
    starts = np.flatnonzero(np.diff(user_codes[order], prepend=-1))
    ends = np.append(starts[1:], len(order))
    names = users.dictionary.to_pylist()
    for start, end in zip(starts, ends, strict=True):
        mine = order[start:end]
        mine = mine[newest_places(browsing[type_codes[mine]], length)]
        yield Row(
            names[user_codes[mine[0]]],
            pack_columns(
                item_names[item_codes[mine]].tolist(),
                at[mine].astype("<i8").tobytes(),
                type_codes[mine].tobytes(),
                values[mine].tobytes(),
            ),
        )


def _events_of(file: Path, share: int, shares: int, problems: Problems) -> Iterator[Any]:
    """Batches of the share's events, ids and types as dictionaries."""
    plain = pa.schema([field.with_nullable(True) for field in EVENTS])
    line = 0
    for batch in batches(file, plain, _BATCH_ROWS):
        table = pa.table(
            {
                name: batch[name].combine_chunks().dictionary_encode()
                if name in ("user_id", "item_id", "type")
                else batch[name]
                for name in batch.schema.names
            }
        )
        if share == 0:
            _check(file, line, table, problems)
        line += table.num_rows
        if shares > 1:
            users = table["user_id"].combine_chunks()
            mine = [
                name is not None and zlib.crc32(name.encode()) % shares == share
                for name in users.dictionary.to_pylist()
            ]
            table = table.filter(pc.take(pa.array(mine, pa.bool_()), users.indices))
        yield table


def _check(file: Path, before: int, table: Any, problems: Problems) -> None:
    """Nulls and bad ids of a batch; each distinct id is looked at once in a batch."""
    for name in table.schema.names:
        column = table[name]
        if column.null_count:
            problems.add(file, before + 1 + pc.index(pc.is_null(column), True).as_py(), f"{name} is missing")
    for name in ("user_id", "item_id"):
        column = table[name].combine_chunks()
        for code, value in enumerate(column.dictionary.to_pylist()):
            try:
                check_id(name, value or "")
            except InvalidArgument as error:
                problems.add(file, before + 1 + pc.index(column.indices, code).as_py(), str(error))
