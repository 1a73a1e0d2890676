"""Live events into files: all there are, or those recorded since the last time, which Redis may then forget.

An event's number says whether it is exported: those up to `ecrs:ev:exported` are. A file is written, synced
and renamed before that number moves, and nothing above it is ever removed; a run that dies in between leaves
a file that the next run replaces with one that has the same events and more.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS
from engine.errors import Unavailable
from services.common import keys
from services.common.redis import Redis, redis_errors
from services.user.live_events import numbered, trim

SCHEMA = EVENTS.append(pa.field("token", pa.string(), nullable=False))
USERS_AT_ONCE = 500
_ROWS_AT_ONCE = 100_000

T = TypeVar("T")
Row = tuple[str, str, str, int, float, str]
"""user_id, item_id, type, at (ms since 1970 UTC), value, token."""

# Moves the number of the last exported event. KEYS: it. ARGV: from, to. 1 if it was still at `from`.
_ADVANCE = """
if tonumber(redis.call('GET', KEYS[1]) or '0') ~= tonumber(ARGV[1]) then return 0 end
redis.call('SET', KEYS[1], ARGV[2])
return 1
"""


class Archived(NamedTuple):
    """What one run did. `file` None: there was nothing new."""

    file: Path | None
    events: int
    removed: int


def archive(redis: Redis, folder: Path) -> Archived:
    """Write the events recorded since the last run into a new file of `folder`, then let Redis forget those
    that no list reads any more. Raises Unavailable, OSError; ValueError names a key that holds no events."""
    client: Any = redis
    if not folder.is_dir():
        raise Unavailable(f"--archive {folder}: there is no such folder: make it first")
    with (folder / ".lock").open("w") as lock, redis_errors():
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Unavailable(f"--archive {folder}: another export is at work there: wait") from error
        with client.pipeline(transaction=True) as pipeline:
            pipeline.sunionstore(keys.EVENTS_EXPORTING, [keys.EVENTS_EXPORTING, keys.EVENTS_TO_EXPORT])
            pipeline.delete(keys.EVENTS_TO_EXPORT)
            pipeline.mget(keys.EVENTS_EXPORTED, keys.EVENTS_LAST)
            done, last = (int(value or 0) for value in pipeline.execute()[-1])
        if last < done:
            raise Unavailable(
                f"{keys.EVENTS_EXPORTED} is {done}, but the last event is {last}: Redis holds older data "
                f"than was exported; set it to {last} or less"
            )
        users = sorted({raw.decode() for raw in client.sscan_iter(keys.EVENTS_EXPORTING, count=1000)})
        # Numbers begin anew in a Redis that was emptied: files of another run of Redis are never replaced.
        run = client.info("server")["run_id"][:8]
        file = folder / f"events-{done + 1:012}-{last:012}-{run}.parquet"
        rows = (row for number, row in rows_of(redis, users) if done < number <= last)
        for left in folder.glob(".events-*.partial"):  # of a run that was killed
            left.unlink()
        events = write_rows(rows, file) if last > done else 0
        if events:
            for other in folder.glob(f"events-{done + 1:012}-*-{run}.parquet"):
                if other != file:
                    other.unlink()
        if last > done and not client.eval(_ADVANCE, 1, keys.EVENTS_EXPORTED, done, last):
            file.unlink(missing_ok=True)
            raise Unavailable("another export has run meanwhile: its file has the events")
        removed = sum(trim(redis, some, last) for some in _chunks(users))
        client.unlink(keys.EVENTS_EXPORTING)
    return Archived(file if events else None, events, removed)


def rows_of(redis: Redis, user_ids: Iterable[str]) -> Iterator[tuple[int, Row]]:
    """All live events of these users with their numbers. Raises Unavailable; ValueError names a bad key."""
    client: Any = redis
    for some in _chunks(user_ids):
        with redis_errors(), client.pipeline(transaction=False) as pipeline:
            named = [(name, key) for name in some for key in (keys.live_acts(name), keys.live_views(name))]
            for _, key in named:
                pipeline.zrange(key, 0, -1)
            found = pipeline.execute()
        for (user_id, key), members in zip(named, found, strict=True):
            for member in members:
                try:
                    number, event = numbered(member)
                except ValueError as error:
                    raise ValueError(f"key {key}: {error}") from error
                token = event.attribution_token
                yield number, (user_id, event.item_id, event.type, event.at_ms, event.value, token)


def write_rows(rows: Iterable[Row], out: Path) -> int:
    """Write a Parquet file of `SCHEMA`, in parts sorted by time; how many rows. No rows: no file.

    It is on disk before it has its name: there is never half of one. Raises OSError.
    """
    partial, count = out.with_name(f".{out.name}.partial"), 0
    try:
        with partial.open("wb") as file:
            with pq.ParquetWriter(file, SCHEMA) as writer:
                for some in _chunks(rows, _ROWS_AT_ONCE):
                    writer.write_table(table_of(some))
                    count += len(some)
            file.flush()
            os.fsync(file.fileno())
        if count:
            partial.replace(out)
            _sync_folder(out.parent)
    finally:
        partial.unlink(missing_ok=True)
    return count


def table_of(rows: Iterable[Row]) -> Any:
    """The rows as an Arrow table of `SCHEMA`, sorted by time; those of the same time as they came."""
    ordered = sorted(rows, key=lambda row: row[3])
    columns = zip(*ordered, strict=True) if ordered else ((),) * len(SCHEMA)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def _sync_folder(folder: Path) -> None:
    """The new name of a file is on disk, too."""
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _chunks(values: Iterable[T], size: int = USERS_AT_ONCE) -> Iterator[list[T]]:
    rest = iter(values)
    while chunk := list(islice(rest, size)):
        yield chunk
