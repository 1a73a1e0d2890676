"""How a recommendation grows with the catalogue and with the history, by the real stages over made-up items.

    python -m bench.scale [--items 15000,100000,1000000] [--shoppers 60] [--rounds 4] [--kernels numpy]

Protocol: for each size a synthetic release is written (`bench/synthetic.py`, seed 5), and a process of its
own loads it as a service does, with its checksums, and asks recall and rank for every shopper in turn: one
round to warm up, then `--rounds`; 200 candidates, exact search, the ranker in process, one thread. Short
histories have 1 to 60 events (seed 11), long ones 1,000 (seed 12). Milliseconds are of processor time. Exact
search grows with the catalogue by its nature and is given apart, since large catalogues ask Milvus. Memory is
the process's resident set, with all that it mapped and read.
"""

from __future__ import annotations

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # read once, when numpy is imported

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from multiprocessing import get_context
from pathlib import Path
from typing import TypeVar

import numpy as np
import psutil

from bench import report
from engine import kernels
from engine.features import Event, EventColumns, UserContext
from engine.features.context import DAY_MS
from engine.rank import score
from engine.recall.channels import Request, recall
from engine.release import Release
from engine.snapshot import Snapshot
from services.adapters.by_url import open_predictor, open_search, open_tower

T = TypeVar("T")

CANDIDATES, SEED, SHORT_SEED, LONG_SEED = 200, 5, 11, 12
END = 1_700_000_000_000  # ms, of the made-up data
TIMEOUT_S = 30.0
HISTORIES = {"short": (1, 60, SHORT_SEED), "1,000 events": (1_000, 1_000, LONG_SEED)}


@dataclass(frozen=True)
class Measured:
    """One size: seconds until it serves, MiB, and p50 of processor milliseconds by history and stage."""

    items: int
    written_s: float
    start_s: float
    memory_mib: float
    stages: dict[str, dict[str, float]]


def main(argv: Sequence[str] | None = None) -> int:
    """Run the benchmark; its exit code."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.scale", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--items", default="15000,100000,1000000", help="sizes (default %(default)s)")
    parser.add_argument("--shoppers", type=int, default=60, help="of each kind (default %(default)s)")
    parser.add_argument("--rounds", type=int, default=4, help="over all shoppers (default %(default)s)")
    parser.add_argument("--kernels", choices=("auto", "numpy"), default="auto")
    options = parser.parse_args(argv)
    print(f"{report.machine()}; kernels: {options.kernels}; seeds {SEED}, {SHORT_SEED}, {LONG_SEED}")
    found = []
    for items in (int(size) for size in options.items.split(",")):
        with tempfile.TemporaryDirectory(prefix="ecrs-scale-") as folder:
            began = time.monotonic()
            path = _in_a_process(_write, folder, items)
            written = time.monotonic() - began
            found.append(_in_a_process(_measure, path, items, written, options))
    _show(found)
    return 0


def _in_a_process(work: Callable[..., T], *arguments: object) -> T:
    """Its result, from a process whose memory nothing else was in."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()


def _write(folder: str, items: int) -> str:
    from bench import synthetic  # noqa: PLC0415 - Paddle must not be in the process that is measured

    return str(synthetic.write_release(Path(folder), items, SEED))


def _measure(path: str, items: int, written_s: float, options: argparse.Namespace) -> Measured:
    began = time.monotonic()
    if options.kernels == "auto" and not kernels.load():
        raise SystemExit("error: numba is not installed: say --kernels numpy")
    stages = Stages(Path(path))
    start = time.monotonic() - began
    found = {
        name: stages.medians(contexts(items, options.shoppers, *history), options.rounds)
        for name, history in HISTORIES.items()
    }
    memory = psutil.Process().memory_info().rss / 2**20
    return Measured(items, written_s, start, memory, found)


class Stages:
    """Recall and rank over one release, as a service loads them; searching exactly, ranking in process."""

    def __init__(self, path: Path) -> None:
        release = Release.load(path)
        self.search = open_search("exact://", release, 0)
        self.snapshot = Snapshot.of(release, open_tower("onnx://", release), self.search)
        self.snapshot.warm()
        self.predictor = open_predictor("onnx://", path, release.name)

    def medians(self, shoppers: Sequence[UserContext], rounds: int) -> dict[str, float]:
        """p50 of processor milliseconds by stage; the first round is not counted."""
        kept: dict[str, list[float]] = {}
        for number in range(rounds + 1):
            for context in shoppers:
                for stage, ms in self._ask(context).items():
                    if number:
                        kept.setdefault(stage, []).append(ms)
        return {stage: report.median(values) for stage, values in kept.items()}

    def _ask(self, context: UserContext) -> dict[str, float]:
        context, snapshot = replace(context), self.snapshot  # a context keeps its summary
        laps = [time.process_time_ns()]
        past = snapshot.encoder.summary(context)
        laps.append(time.process_time_ns())
        vector = snapshot.encode_user(context, past)
        laps.append(time.process_time_ns())
        self.search.nearest(vector, CANDIDATES, None, TIMEOUT_S)
        laps.append(time.process_time_ns())
        request = Request(snapshot, context, past, CANDIDATES, lambda: TIMEOUT_S, vector=vector)
        candidates = recall(request).candidates
        laps.append(time.process_time_ns())
        score(snapshot, context, candidates.rows, self.predictor.predict, TIMEOUT_S, past)
        laps.append(time.process_time_ns())
        history, tower, search, recalled, ranked = (np.diff(laps) / 1e6).tolist()
        # Recall searches by itself: what the search before it took is the best estimate of that part.
        found = {
            "history": history,
            "tower": tower,
            "exact search": search,
            "rest of recall": max(recalled - search, 0.0),
            "rank": ranked,
        }
        return {**found, "all but search": sum(found.values()) - search}


def contexts(items: int, shoppers: int, least: int, most: int, seed: int) -> list[UserContext]:
    """Shoppers with `least` to `most` events each, in baskets of eight, popular items more often."""
    rng = np.random.default_rng(seed)
    found = []
    for number in range(shoppers):
        count = int(rng.integers(least, most + 1))
        rows = np.minimum((rng.pareto(1.0, count) * items * 0.01).astype(np.int64), items - 1).tolist()
        days = rng.integers(1, 500, max(count // 8, 1))
        at = (END - np.sort(rng.choice(days, count)) * DAY_MS).tolist()
        kinds = rng.choice(["purchase", "click", "cart"], count, p=[0.8, 0.15, 0.05]).tolist()
        events = [Event(str(row), kind, moment) for row, kind, moment in zip(rows, kinds, at, strict=True)]
        profile: dict[str, str | list[str]] = {f"feature_{one}": str(number % 5) for one in range(7)}
        found.append(UserContext(f"u{number}", profile, EventColumns.of(events), END + 1))
    return found


def _show(found: Sequence[Measured]) -> None:
    first = found[0]
    report.table(
        "Loading",
        ("items", "written, rows/s", "start s", "loaded, rows/s", "memory MiB"),
        [
            (
                f"{one.items:,}",
                f"{one.items / one.written_s:,.0f}",
                f"{one.start_s:.1f}",
                f"{one.items / one.start_s:,.0f}",
                f"{one.memory_mib:,.0f}",
            )
            for one in found
        ],
    )
    stages = tuple(first.stages["short"])
    rows = []
    for one in found:
        for history, parts in one.stages.items():
            growth = parts["all but search"] / first.stages[history]["all but search"]
            longer = parts["all but search"] / one.stages["short"]["all but search"]
            cells = (f"{parts[stage]:.2f}" for stage in stages)
            rows.append((f"{one.items:,}", history, *cells, f"{growth:.2f}", f"{longer:.2f}"))
    report.table("Processor time, p50 ms", ("items", "history", *stages, "× smallest", "× short"), rows)


if __name__ == "__main__":
    sys.exit(main())
