"""How long training takes, how much memory it needs, what encoding costs, and what came out.

    python -m bench.training --data data/prepared/completejourney --config quick

Trains into a temporary folder in a process of its own and prints one table. Nothing is kept.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from engine.features import DAY_MS, Event, UserContext
from engine.release import Release, list_releases
from models.training.config import CONFIGS

_EVENTS, _CANDIDATES, _REPEATS = 600, 200, 300


def main() -> int:
    """Returns 0, or 1 if training failed."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.training", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--data", type=Path, default=Path("data/prepared/completejourney"))
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        command = [
            sys.executable,
            "-m",
            "models.train",
            "--data",
            str(options.data),
            "--config",
            options.config,
        ]
        began = time.monotonic()
        done = subprocess.run([*command, "--out", folder], check=False)
        seconds = time.monotonic() - began
        releases = list_releases(folder)
        if not releases:
            print(f"training ended with status {done.returncode} and without a release", file=sys.stderr)
            return 1
        megabytes = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
        report(Release.load(Path(folder) / releases[0]), seconds, megabytes)
    return 0


def report(release: Release, seconds: float, megabytes: float) -> None:
    """Print the table of one release."""
    metrics = release.manifest["metrics"]
    print(f"\n{release.name}: {release.manifest['n_items']:,} items, {release.manifest['n_users']:,} users")
    print(f"training {seconds:.0f} s in all, peak memory {megabytes:,.0f} MB; by stage: {metrics['seconds']}")
    for name in ("pipeline", "personal_frequency", "popularity", "pipeline_novel", "popularity_novel"):
        values = metrics[name]
        quality = f"R@20 {values['recall_at_20']:.4f}  N@20 {values['ndcg_at_20']:.4f}"
        print(f"{name:<20} {quality}  users {values['users']}")
    print(f"ranker AUC {metrics['ranker_auc']:.4f}, of popularity {metrics['popularity_auc']:.4f}")
    context, rows = _someone(release)
    encoder = release.encoder
    print(f"user tower feeds  {_median(lambda: encoder.user_tower(context)):.2f} ms ({_EVENTS} events)")
    print(f"ranker feeds      {_median(lambda: encoder.rank(context, rows)):.2f} ms ({len(rows)} candidates)")


def _someone(release: Release) -> tuple[UserContext, np.ndarray]:
    """A user with a long history of favourites, and candidates of which some are in it."""
    rng = np.random.default_rng(7)
    ids = release.items.ids
    taken = np.minimum(rng.pareto(1.0, _EVENTS) * 50, len(ids) - 1).astype(int)
    days = np.sort(rng.uniform(0.1, 300, _EVENTS))
    at = (release.data_end - days * DAY_MS).astype(int)
    events = [Event(ids[row], "purchase", int(moment)) for row, moment in zip(taken, at, strict=True)]
    rows = np.unique(np.concatenate([taken[:80], rng.integers(0, len(ids), 2 * _CANDIDATES)]))
    chosen = rng.permutation(rows)[:_CANDIDATES].astype(np.int64)
    return UserContext("bench", {}, events, release.data_end + DAY_MS), chosen


def _median(call: Callable[[], object]) -> float:
    """Milliseconds."""
    times = []
    for _ in range(_REPEATS):
        began = time.perf_counter()
        call()
        times.append(time.perf_counter() - began)
    return float(np.median(times)) * 1000


if __name__ == "__main__":
    sys.exit(main())
