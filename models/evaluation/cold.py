"""How good are lists from demographics alone? Measured on shoppers the release has never seen.

    python -m models.evaluation.cold --data data/prepared/completejourney

A share of the users with a profile is held out: none of their events is trained on. A release is trained on
the others' events before the last window of the data, and each held-out user gets a list by profile alone.
Truth: what they took in that window, and, as a second look with less chance in it, all they ever took.
``--until`` moves the window, so that choices made on one window can be reported on another.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
from rich.console import Console
from rich.table import Table

from engine.features import UserContext
from engine.rank import blend
from engine.recall.exact import ExactSearch
from engine.release import Release, ReleaseError
from engine.snapshot import Snapshot
from models.evaluation import mean_metrics
from models.evaluation.pipeline import candidate_count
from models.training.candidates import served_rows
from models.training.config import CONFIGS, TrainConfig
from models.training.dataset import CatalogueEvents, DataFault, Events, PreparedData, load_prepared
from models.training.export import ExportError, onnx_runner
from models.training.run import train
from models.training.windows import parse_date, validation_window

IntArray = npt.NDArray[np.int64]
Lists = dict[str, list[IntArray]]
Results = dict[str, dict[str, float]]

_PAGE, _PAIRS = 20, 3_000
_WEIGHTS = (0.25, 0.5, 0.75)  # of the segments' order in the combination


@dataclass(frozen=True)
class Split:
    """``training``: the others' events before ``cutoff``; ``users``: those held out, indices in ``whole``."""

    whole: PreparedData
    training: PreparedData
    users: IntArray
    cutoff: int  # ms


def hold_out(data: PreparedData, share: float, seed: int, window_days: float) -> Split:
    """Hold out a share of the users with a profile. Raises DataFault if nobody has one."""
    told = np.array([user for user, profile in enumerate(data.profiles) if profile], np.int64)
    if len(told) < 2:
        raise DataFault(f"{data.name}: no users with a profile: there is nothing to measure")
    count = max(round(share * len(told)), 1)
    users = np.sort(np.random.default_rng(seed).permutation(told)[:count])
    cutoff = data.end - validation_window(data.begin, data.end, window_days)
    stream = data.events
    kept = (stream.at < cutoff) & ~np.isin(stream.user, users)
    if not kept.any():
        raise DataFault(f"{data.name}: no events are left to train on: hold out fewer users")
    user, at = stream.user[kept], stream.at[kept]
    start = np.searchsorted(user, np.arange(len(data.user_ids) + 1)).astype(np.int64)
    events = Events(start, user, stream.item[kept], stream.type[kept], at)
    training = replace(data, events=events, begin=int(at.min()), end=int(at.max()) + 1)
    return Split(data, training, users, cutoff)


def lists_of(split: Split, release: Release) -> Lists:
    """For each method the held-out users' lists of item rows, best first."""
    snapshot, segments = Snapshot.of(release, search=ExactSearch(release.vectors)), release.segments
    popular = snapshot.lists["popular"].rows
    tower, ranker = onnx_runner(release.user_tower_onnx), onnx_runner(release.rank_onnx)
    everybody = segments.rows[np.argsort(-segments.base, kind="stable")]
    lists: Lists = {}
    for user in split.users.tolist():
        profile = split.whole.profiles[user]
        context = UserContext("", profile, (), release.data_end + 1)
        vector = np.asarray(tower(snapshot.encoder.user_tower(context)))[0]
        nearest = np.argsort(-(release.vectors @ vector), kind="stable")
        past = snapshot.encoder.summary(context)
        served = served_rows(snapshot, context, past, vector, candidate_count(release))
        scores = np.asarray(ranker(snapshot.encoder.rank(context, served, past))).ravel()
        found = {
            "popularity": popular,
            "popularity by buyers": everybody,
            "segments": segments.ranked(profile, _PAGE),
            "user tower": nearest,
            "ranker": served[np.argsort(-scores, kind="stable")],
        }
        for weight in _WEIGHTS:
            found[f"combination {weight:g}"] = served[blend(scores, weight)]
        for name, rows in found.items():
            lists.setdefault(name, []).append(rows[:_PAGE])
    return lists


def measure(split: Split, release: Release) -> Results:
    """By method: recall and NDCG at 20 in the window and for all purchases, and ``overlap``, the mean number
    of equal items in the lists of two users with different profiles."""
    index = {item: place for place, item in enumerate(split.whole.item_ids)}
    row = np.full(len(split.whole.item_ids) + 1, -1, np.int64)
    row[[index[item] for item in release.items.ids]] = np.arange(len(release.items))
    events = CatalogueEvents(split.whole, row[split.whole.events.item])
    users = split.users.tolist()
    ends = ((split.cutoff, split.whole.end), (split.whole.begin, split.whole.end))
    truths = [[events.positives(user, begin, end) for user in users] for begin, end in ends]
    pairs = _different(split, np.random.default_rng(0))
    results: Results = {}
    for name, lists in lists_of(split, release).items():
        near, all_time = (mean_metrics(zip(lists, truth, strict=True)) for truth in truths)
        shared = [len(np.intersect1d(lists[one], lists[other])) for one, other in pairs]
        results[name] = {
            **near,
            **{f"{key}_all": value for key, value in all_time.items()},
            "overlap": round(float(np.mean(shared)), 1) if shared else float("nan"),
        }
    return results


def _different(split: Split, rng: np.random.Generator) -> list[tuple[int, int]]:
    """Pairs of positions in ``users`` whose profiles differ."""
    drawn = rng.integers(0, len(split.users), (_PAIRS, 2)).tolist()
    profiles = [split.whole.profiles[user] for user in split.users.tolist()]
    return [(one, other) for one, other in drawn if profiles[one] != profiles[other]]


def run(data: PreparedData, config: TrainConfig, share: float, artifacts: Path, console: Console) -> Results:
    """Hold out, train into the folder ``artifacts``, measure."""
    split = hold_out(data, share, config.seed, config.window_days)
    folder, _ = train(split.training, config, artifacts, console=console)
    return measure(split, Release.load(folder))


def _shown(results: Results) -> Table:
    table = Table("by profile", "R@20", "N@20", "R@20 ever", "N@20 ever", "same of 20", "users")
    for name, one in results.items():
        keys = ("recall_at_20", "ndcg_at_20", "recall_at_20_all", "ndcg_at_20_all")
        table.add_row(
            name, *(f"{one[key]:.4f}" for key in keys), f"{one['overlap']:.1f}", f"{one['users']:.0f}"
        )
    return table


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluation.cold", description="Measure lists by profile alone."
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder data/prepared/<dataset>")
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick")
    parser.add_argument("--share", type=float, default=0.4, help="of the users with a profile, to hold out")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument("--until", type=parse_date, help="leave out events from this date on")
    parser.add_argument("--out", type=Path, help="keep the release in this folder")
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    if not 0 < options.share < 1:
        parser.error("--share must lie between 0 and 1")
    config = replace(CONFIGS[options.config], seed=options.seed)
    try:
        data = load_prepared(options.data, options.until)
        with tempfile.TemporaryDirectory(prefix="ecrs-cold-") as folder:
            results = run(data, config, options.share, options.out or Path(folder), console)
    except (DataFault, ReleaseError, ExportError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False)
        return 1
    Console().print(_shown(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
