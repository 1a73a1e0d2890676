"""Rows per second of `scripts.to_redis`, as ratios to what Redis takes at most.

    python -m bench.loaders [--data data/prepared/completejourney] [--rounds 3]

Protocol: a redis-server of its own in a temporary folder, with the settings that `make up` uses. In each
round the whole dataset is loaded, then as many values of the same mean size are written by `redis-benchmark`
(pipelined SET, 500 a batch, 1 client: C, values ready in memory), and the items' own values by a bare
redis-py pipeline of SETs. Medians. `to_redis` also reads Parquet, checks rows and makes their JSON. A row of
"histories" is a user with up to 1,000 events.
"""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice
from pathlib import Path

from bench import report
from engine.errors import Unavailable
from engine.features import FeatureSchema
from scripts.redis_load.histories import prepared_histories
from scripts.redis_load.loader import RedisLoader
from scripts.redis_load.problems import BadData, Problems
from scripts.redis_load.sources import Part, Row, open_dataset, prepared_items, prepared_users
from services.common.redis import BULK_TIMEOUT_S, Redis, connect, ping
from services.embedded.redis import FSYNC, find_redis, settings

_BATCH = 500


class Stopwatch:
    """Rows and seconds of each step of a load."""

    def __init__(self) -> None:
        self.rates: dict[str, float] = {}
        self._name, self._rows, self._began = "", 0, 0.0

    def step(self, name: str, total: int | None, done: int) -> None:
        """Begin a step; ends the one before."""
        self.stop()
        self._name, self._rows, self._began = name, 0, time.perf_counter()

    def advance(self, rows: int) -> None:
        """`rows` more are done."""
        self._rows += rows

    def stop(self) -> None:
        """End the step."""
        if self._name:
            self.rates[self._name] = self._rows / (time.perf_counter() - self._began)
        self._name = ""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; its exit code."""
    parser = argparse.ArgumentParser(description=str(__doc__), formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path("data/prepared/completejourney"))
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--port", type=int, default=16399, help="port of the benchmark's own Redis")
    options = parser.parse_args(argv)
    try:
        dataset = open_dataset(options.data)
        parts = [prepared_users(options.data, dataset), prepared_items(options.data, dataset)]
        parts.append(prepared_histories(options.data, FeatureSchema.history_length))
    except BadData as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    with _redis(options.port) as redis:
        _report(parts, redis, options.port, options.rounds)
    return 0


def _report(parts: Sequence[Part], redis: Redis, port: int, rounds: int) -> None:
    items = list(parts[1].rows(Problems()))
    size = sum(len(str(row.value).encode()) for row in items) // len(items)
    rates: dict[str, list[float]] = {}
    for number in range(rounds):
        redis.flushall()
        watch = Stopwatch()
        RedisLoader(redis, watch).run(parts, f"round {number}", None)
        watch.stop()
        for name, rate in {
            **watch.rates,
            "redis-benchmark": _redis_benchmark(port, len(items), size),
            "bare redis-py": _bare(redis, items),
            "read and check items": _read(parts[1]),
        }.items():
            rates.setdefault(name, []).append(rate)
    medians = {name: report.median(values) for name, values in rates.items()}
    floor, bare = medians["redis-benchmark"], medians["bare redis-py"]
    print(report.machine())
    report.table(
        f"Loading Redis: {len(items):,} items of {size} bytes, median of {rounds} rounds",
        ("step", "rows/s", "of redis-benchmark", "of bare redis-py"),
        [
            (name, f"{rate:,.0f}", f"{rate / floor:.3f}" if floor else "not installed", f"{rate / bare:.2f}")
            for name, rate in medians.items()
        ],
    )


def _redis_benchmark(port: int, rows: int, size: int) -> float:
    """Pipelined SETs a second; 0 where the program is not installed."""
    program = shutil.which("redis-benchmark")
    if program is None:
        return 0.0
    command = [program, "-p", str(port), "-n", str(rows), "-r", str(rows), "-d", str(size), "-c", "1"]
    done = subprocess.run(
        [*command, "-P", str(_BATCH), "-t", "set", "--csv"], capture_output=True, text=True, check=True
    )
    return float(done.stdout.strip().splitlines()[-1].split(",")[1].strip('"'))


def _bare(redis: Redis, rows: Sequence[Row]) -> float:
    """SETs a second of ready values through redis-py."""
    began = time.perf_counter()
    source = iter(rows)
    while batch := list(islice(source, _BATCH)):
        with redis.pipeline(transaction=False) as pipeline:
            for row in batch:
                pipeline.set(f"bench:{row.id}", row.value)
            pipeline.execute()
    return len(rows) / (time.perf_counter() - began)


def _read(part: Part) -> float:
    """Rows a second without writing any."""
    began = time.perf_counter()
    count = sum(1 for _ in part.rows(Problems()))
    return count / (time.perf_counter() - began)


@contextmanager
def _redis(port: int) -> Iterator[Redis]:
    with tempfile.TemporaryDirectory(prefix="ecrs-bench-") as folder:
        process = subprocess.Popen(
            [find_redis(), *settings(port, Path(folder), FSYNC[0])], stdout=subprocess.DEVNULL
        )
        client = connect(f"redis://127.0.0.1:{port}/0", timeout_s=BULK_TIMEOUT_S)
        try:
            _wait(client, process)
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait()


def _wait(client: Redis, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 10.0
    while True:
        try:
            ping(client)
        except Unavailable:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


if __name__ == "__main__":
    sys.exit(main())
