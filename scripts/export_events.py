"""`python -m scripts.export_events`: what happened in the running shop, as Parquet files.

    python -m scripts.export_events --archive events/                what was recorded since the last time
    python -m scripts.export_events --out events.parquet             all live events that Redis holds
    python -m scripts.export_events --out impressions.parquet --impressions

The columns are those of the canonical `events.parquet`, and the attribution `token` ("" for none), by which
clicks and purchases are joined with impressions. `--archive` adds a file to the folder, so that each event is
in one file, and then lets Redis forget a shopper's events that no list reads any more; nothing else removes
events. `python -m data.prepare ... --events events/` joins these files to a dataset. `--out` writes one file,
sorted by time, and removes nothing. Of impressions Redis keeps the newest million. Exit code 1: Redis or the
file, 2: the command line.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from engine.errors import EcrsError, Unavailable
from engine.vocabulary import IMPRESSION
from scripts.events_archive import Row, archive, rows_of, table_of
from services.common import keys
from services.common.redis import BULK_TIMEOUT_S, Redis, connect, redis_errors
from services.running import running_settings

PAGE = 5_000  # stream entries, or shoppers' keys, of one answer


def live_events(client: Redis) -> Iterator[Row]:
    """The live events of every shopper, in no order. Raises Unavailable; ValueError names a bad key."""
    asked: set[str] = set()
    cursor: Any = 0
    while True:
        with redis_errors():
            answer: Any = client.scan(cursor, match=keys.LIVE_EVENTS, count=PAGE)
        cursor, found = answer
        names = {keys.user_of_live_events(key.decode()) for key in found} - asked
        asked |= names
        for _, row in rows_of(client, sorted(names)):
            yield row
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


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    parser = _parser()
    options = parser.parse_args(argv)
    if options.archive is not None and options.impressions:
        parser.error("--impressions goes with --out: impressions are not archived")
    try:
        client = connect(options.redis or running_settings().redis(), timeout_s=BULK_TIMEOUT_S)
        try:
            if options.archive is not None:
                done = archive(client, options.archive)
                print(f"{done.file}: {done.events:,} events" if done.file else "no new events")
                print(f"{done.removed:,} older events removed from Redis")
                return 0
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
    where = parser.add_mutually_exclusive_group(required=True)
    where.add_argument("--out", type=Path, metavar="FILE.parquet", help="write all to this file")
    where.add_argument(
        "--archive", type=Path, metavar="FOLDER", help="add a file of what is new; Redis may then forget it"
    )
    parser.add_argument("--impressions", action="store_true", help="what was shown, not what was done")
    parser.add_argument("--redis", metavar="URL", help="Redis (default: the system's, see ECRS_REDIS_URL)")
    return parser


if __name__ == "__main__":
    sys.exit(main())
