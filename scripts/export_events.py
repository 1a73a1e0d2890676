"""`python -m scripts.export_events`: what happened in the running shop, as a Parquet file.

    python -m scripts.export_events --out events.parquet
    python -m scripts.export_events --out impressions.parquet --impressions

The columns are those of the canonical `events.parquet`, sorted by time, and the attribution `token` ("" for
none), by which clicks and purchases are joined with impressions. Of live events Redis keeps the newest 1,000
of each shopper, of impressions the newest million. Exit code 1: Redis or the file, 2: the command line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import EVENTS
from services.common import keys
from services.common.errors import EcrsError, Unavailable
from services.common.ports import IMPRESSION
from services.common.redis import BULK_TIMEOUT_S, Redis, connect, redis_errors
from services.running import running_settings
from services.user.codec import unpack

PAGE = 5_000  # stream entries, or shoppers' keys, of one answer
SCHEMA = EVENTS.append(pa.field("token", pa.string(), nullable=False))

Row = tuple[str, str, str, int, float, str]
"""user_id, item_id, type, at (ms since 1970 UTC), value, token."""


def live_events(client: Redis) -> Iterator[Row]:
    """The live events of every shopper, in no order. Raises Unavailable; ValueError names an unreadable key.

    A key that turns up twice while others are written is read once.
    """
    prefix = keys.live_events("")
    asked: set[bytes] = set()
    cursor: Any = 0
    while True:
        with redis_errors():
            answer: Any = client.scan(cursor, match=f"{prefix}*", count=PAGE)
            cursor, found = answer[0], [key for key in answer[1] if key not in asked]
            pipeline = client.pipeline(transaction=False)
            for key in found:
                pipeline.lrange(key, 0, -1)
            lists = pipeline.execute() if found else []
        asked.update(found)
        for key, packed in zip(found, lists, strict=True):
            user_id = key.decode().removeprefix(prefix)
            for blob in packed:
                try:
                    events = unpack(blob)
                except ValueError as error:
                    raise ValueError(f"key {key.decode()}: {error}") from error
                for event in events:
                    token = event.attribution_token
                    yield user_id, event.item_id, event.type, event.at_ms, event.value, token
        if not cursor:
            return


def impressions(client: Redis) -> Iterator[Row]:
    """The impressions kept, by arrival; `value` is 1. Raises Unavailable."""
    after = "-"
    while True:
        with redis_errors():
            page: Any = client.xrange(keys.IMPRESSIONS, min=after, count=PAGE)
        for _, entry in page:
            user_id, item_id, token = (entry[name].decode() for name in (b"user", b"item", b"token"))
            yield user_id, item_id, IMPRESSION, int(entry[b"at"]), 1.0, token
        if len(page) < PAGE:
            return
        after = f"({page[-1][0].decode()}"


def table_of(rows: Iterator[Row]) -> Any:
    """The rows as an Arrow table of `SCHEMA`, sorted by time; those of the same time as they came."""
    ordered = sorted(rows, key=lambda row: row[3])
    columns = zip(*ordered, strict=True) if ordered else ((),) * len(SCHEMA)
    return pa.table(
        [pa.array(column, field.type) for column, field in zip(columns, SCHEMA, strict=True)], schema=SCHEMA
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(argv)
    try:
        client = connect(options.redis or running_settings().redis(), timeout_s=BULK_TIMEOUT_S)
        try:
            table = table_of(impressions(client) if options.impressions else live_events(client))
        finally:
            client.close()
        _write(table, options.out)
    except (EcrsError, ValueError, OSError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        return 1
    print(f"{options.out}: {table.num_rows:,} {'impressions' if options.impressions else 'events'}")
    return 0


def _write(table: Any, out: Path) -> None:
    """Write the file under a temporary name first: there is never half of one under its own."""
    if not out.parent.is_dir():
        raise Unavailable(f"--out {out}: there is no folder {out.parent}")
    partial = out.with_name(f".{out.name}.partial")
    try:
        pq.write_table(table, partial)
        partial.replace(out)
    finally:
        partial.unlink(missing_ok=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.export_events", description="Live events, or impressions, as Parquet."
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.parquet", help="the file to write")
    parser.add_argument("--impressions", action="store_true", help="what was shown, not what was done")
    parser.add_argument("--redis", metavar="URL", help="Redis (default: the system's, see ECRS_REDIS_URL)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
