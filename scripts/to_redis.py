"""`python -m scripts.to_redis`: users, items and histories into Redis.

    python -m scripts.to_redis --data data/prepared/completejourney
    python -m scripts.to_redis --users users.dat --products products.dat

Services go on reading the old rows until everything is written; then one switch shows them all the new ones.
An interrupted load goes on where it stopped when it is started again. What was written through the API wins
over what is loaded, and a deleted user stays deleted. Exit code 1: Redis, 2: the data.
"""

from __future__ import annotations

import argparse
import json
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from tqdm import tqdm

from data.dataset import read_toml
from engine.errors import EcrsError, Unavailable
from engine.features import FeatureSchema
from engine.vocabulary import MAX_HISTORY
from scripts.redis_load.histories import prepared_histories
from scripts.redis_load.loader import RedisLoader, fingerprint_of
from scripts.redis_load.problems import BadData, Problems
from scripts.redis_load.sources import (
    ORIGINAL_USER,
    Part,
    open_dataset,
    original_items,
    original_users,
    prepared_items,
    prepared_users,
)
from services.common import keys
from services.common.redis import BULK_TIMEOUT_S, Redis, connect
from services.running import OtherCopyError, running_settings

_ORIGINAL_DATASET = {
    "dataset": {
        "name": "original",
        "title": "The original's users.dat and products.dat",
        "user_noun": "shopper",
    },
    "user_feature": [{"name": name, "kind": "categorical"} for name in ORIGINAL_USER],
}


class Bars:
    """One progress bar for each step, with rows per second; and what was done, afterwards."""

    def __init__(self) -> None:
        self._bar: Any = None
        self._began = 0.0

    def step(self, name: str, total: int | None, done: int) -> None:
        """Begin a step; ends the one before."""
        self.close()
        self._began = time.monotonic()
        self._bar = tqdm(desc=name, total=total, initial=done, unit=" rows", mininterval=0.5)

    def advance(self, rows: int) -> None:
        """`rows` more are done."""
        if self._bar is not None:
            self._bar.update(rows)

    def close(self) -> None:
        """End the step, and print how it went."""
        if self._bar is None:
            return
        rows = int(self._bar.n - self._bar.initial)
        took = max(time.monotonic() - self._began, 1e-6)
        self._bar.leave = False
        self._bar.close()
        print(f"{self._bar.desc}: {rows:,} rows in {took:.1f} s ({rows / took:,.0f} rows/s)")
        self._bar = None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; its exit code."""
    options = _parser().parse_args(argv)
    bars = Bars()
    try:
        parts, dataset = _parts(options)
        if options.dry_run:
            _check(parts, bars)
            print("everything was read and checked; nothing was written (--dry-run)")
            return 0
        redis = _connect(options.redis)
        try:
            source = fingerprint_of(parts, options.history_length, overwrite=options.overwrite)
            RedisLoader(redis, bars).run(parts, source, dataset, overwrite=options.overwrite)
        finally:
            redis.close()
        bars.close()
        print(f"now served: {', '.join(part.name for part in parts)}")
    except BadData as error:
        print("\n".join(f"error: {line}" for line in str(error).splitlines()), file=sys.stderr)
        print("nothing was switched: services go on with what they have", file=sys.stderr)
        return 2
    except ValidationError as error:
        print(f"error: settings: {error.errors()[0]['msg']}", file=sys.stderr)
        return 1
    except EcrsError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("interrupted: the same command goes on where it stopped", file=sys.stderr)
        return 130
    return 0


def _connect(url: str | None) -> Redis:
    try:
        default = running_settings().redis()
    except OtherCopyError as error:
        raise Unavailable(str(error)) from error
    try:
        return connect(url or default, timeout_s=BULK_TIMEOUT_S)
    except ValueError as error:
        raise Unavailable(f"--redis {url}: {error}") from error


def _parts(options: argparse.Namespace) -> tuple[list[Part], str | None]:
    """What to load, and the dataset's description as JSON."""
    if options.data is not None and options.products is not None:
        raise BadData("--products has the items of --users; --data brings its own: give one of them")
    parts: list[Part] = []
    description: object = None
    if options.data is not None:
        dataset = open_dataset(options.data)
        parts += [prepared_users(options.data, dataset), prepared_items(options.data, dataset)]
        parts.append(prepared_histories(options.data, options.history_length))
        description = read_toml(options.data / "dataset.toml")
    if options.users is not None:
        parts.append(original_users(options.users))
        description = _ORIGINAL_DATASET
    if options.products is not None:
        parts.append(original_items(options.products))
    if options.only:
        if lacking := set(options.only) - {part.name for part in parts}:
            raise BadData(f"--only {min(lacking)}: it comes with --data, --users or --products")
        parts = [part for part in parts if part.name in options.only]
    if not parts:
        raise BadData("nothing to load: give --data, --users or --products")
    with_users = any(part.name == "users" for part in parts)
    return parts, json.dumps(description, ensure_ascii=False, default=str) if with_users else None


def _check(parts: Sequence[Part], bars: Bars) -> None:
    """Read everything, write nothing."""
    problems = Problems()
    for part in parts:
        bars.step(part.name, part.total, 0)
        rows = 0
        for _ in part.rows(problems):
            rows += 1
            if rows % 1000 == 0:
                bars.advance(1000)
        bars.advance(rows % 1000)
        if not rows and not part.may_be_empty:
            problems.check()
            raise BadData(f"{part.files[0]}: has no rows")
    bars.close()
    problems.check()


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m scripts.to_redis",
        description=str(__doc__),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    prepared = parser.add_mutually_exclusive_group()
    prepared.add_argument("--data", type=Path, metavar="DIR", help="a prepared dataset")
    prepared.add_argument("--users", type=Path, metavar="FILE", help="the original's users.dat")
    parser.add_argument("--products", type=Path, metavar="FILE", help="the original's products.dat")
    parser.add_argument("--redis", metavar="URL", help="default: ECRS_REDIS_URL, or the embedded Redis")
    parser.add_argument("--only", type=_names, metavar="PARTS", help=f"of {','.join(keys.PARTS)}, by comma")
    parser.add_argument(
        "--history-length",
        type=_length,
        default=FeatureSchema.history_length,
        help="newest events kept of each user (now %(default)s)",
    )
    parser.add_argument(
        "--overwrite",
        action="store_true",
        help="let the loaded rows win over what was written through the API before now; "
        "deleted users stay deleted",
    )
    parser.add_argument("--dry-run", action="store_true", help="read and check everything, write nothing")
    return parser


def _length(text: str) -> int:
    value = int(text)
    if not 1 <= value <= MAX_HISTORY:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAX_HISTORY}, not {value}")
    return value


def _names(text: str) -> list[str]:
    names = [name.strip() for name in text.split(",") if name.strip()]
    if unknown := [name for name in names if name not in keys.PARTS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r} is none of {', '.join(keys.PARTS)}")
    return names


if __name__ == "__main__":
    sys.exit(main())
