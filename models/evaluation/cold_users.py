"""The protocol ``cold``: users nobody has seen, by profile alone, against popularity among the same users.

    python -m models.evaluate cold --source completejourney --seeds 7,8,9 --out var/quality/cj-cold

A share of the users with a profile is held out, others for each seed; a release is trained on the others
before the last window (``models/evaluation/cold.py``). ``window``: what the held-out took in it; ``ever``:
all they took, a second look with less chance. Ratios are to popularity by decayed purchases, by paired
bootstrap.
"""

from __future__ import annotations

import argparse
import json
import time
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from engine.release import Release
from models.evaluation import recall_ndcg, recall_of_truth
from models.evaluation.cold import Split, hold_out, lists_of
from models.evaluation.errors import ProtocolError
from models.evaluation.ranking import DoubleArray, summary
from models.evaluation.retail import cut_of
from models.evaluation.retail_command import data_arguments, prepared_folder
from models.evaluation.trained import code_digest, run_name, train_once
from models.training.config import CONFIGS
from models.training.dataset import CatalogueEvents, load_prepared

TRUTHS = ("window", "ever")
_AGAINST = "popularity"
_MEASURES = ("recall_at_20", "ndcg_at_20", "recall_of_truth_at_20")

Values = dict[str, dict[str, dict[int, list[tuple[float, float, float]]]]]  # by truth, method and user


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``cold``."""
    data_arguments(parser)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick", help="of the training")
    parser.add_argument("--share", type=float, default=0.4, help="of the users with a profile, to hold out")


def run(options: argparse.Namespace, console: Console) -> int:
    """Hold out, train, measure for each seed; raises DataFault, ReleaseError or ProtocolError."""
    if not 0 < options.share < 1:
        raise ProtocolError(f"--share {options.share}: must lie between 0 and 1")
    began = time.monotonic()
    folder = prepared_folder(options.source, options.path, options.prepared)
    whole = load_prepared(folder)
    if options.on == "validation":
        whole = load_prepared(folder, cut_of(whole))
    seeds: list[int] = options.seeds or [options.seed]
    values: Values = {truth: {} for truth in TRUTHS}
    tables = []
    for seed in seeds:
        settings = replace(CONFIGS[options.config], seed=seed)
        split = hold_out(whole, options.share, seed, settings.window_days)
        home = options.artifacts / f"cold-{run_name(split.training, settings, code_digest())}"
        release = Release.load(train_once(split.training, settings, home, console))
        lists = lists_of(split, release)
        collect(values, split, release, lists)
        tables += [_table(split, release, name, rows, seed) for name, rows in lists.items()]
    report = {
        "protocol": options.protocol,
        "dataset": whole.name,
        "on": options.on,
        "seeds": seeds,
        "share": options.share,
        "config": options.config,
        "metrics": {truth: measured(methods) for truth, methods in values.items()},
        "seconds": {"total": time.monotonic() - began},
    }
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), options.out / "lists.parquet")
        (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    Console().print(_text(report), markup=False, highlight=False, soft_wrap=True)
    return 0


def collect(
    values: Values, split: Split, release: Release, lists: dict[str, list[npt.NDArray[np.int64]]]
) -> None:
    """Add one seed's ``_MEASURES`` of each held-out user with a truth."""
    index = {item: place for place, item in enumerate(split.whole.item_ids)}
    row = np.full(len(split.whole.item_ids) + 1, -1, np.int64)
    row[[index[item] for item in release.items.ids]] = np.arange(len(release.items))
    events = CatalogueEvents(split.whole, row[split.whole.events.item])
    begins = dict(zip(TRUTHS, (split.cutoff, split.whole.begin), strict=True))
    for truth, begin in begins.items():
        for place, user in enumerate(split.users.tolist()):
            taken = events.positives(user, begin, split.whole.end)
            for name, found in lists.items() if len(taken) else ():
                users = values[truth].setdefault(name, {})
                shown = found[place]
                one = (*recall_ndcg(shown, taken), recall_of_truth(shown, taken))
                users.setdefault(user, []).append(one)


def measured(
    methods: dict[str, dict[int, list[tuple[float, float, float]]]], seed: int = 7
) -> dict[str, Any]:
    """By method: users, measures with intervals and the ratio of recalls to popularity's with its interval.

    A user held out under several seeds counts once, by the mean.
    """
    means = {name: _means(users) for name, users in methods.items()}
    base = means[_AGAINST][:, 0]
    found: dict[str, Any] = {}
    for name, pairs in means.items():
        columns = {measure: pairs[:, place] for place, measure in enumerate(_MEASURES)}
        found[name] = {"users": len(pairs), **summary(columns, seed), "ratio": ratio(pairs[:, 0], base, seed)}
    return found


def ratio(values: DoubleArray, base: DoubleArray, seed: int = 7, draws: int = 1000) -> dict[str, float]:
    """Of two means over the same users, with its 95 % interval by paired bootstrap; NaN over a mean of 0."""
    rng = np.random.default_rng(seed)
    drawn = rng.integers(0, len(base), (draws, len(base)))
    with np.errstate(divide="ignore", invalid="ignore"):
        low, high = np.nanpercentile(values[drawn].mean(axis=1) / base[drawn].mean(axis=1), (2.5, 97.5))
        return {"mean": float(values.mean() / base.mean()), "low": float(low), "high": float(high)}


def _means(users: dict[int, list[tuple[float, float, float]]]) -> DoubleArray:
    return np.array([np.mean(users[user], axis=0) for user in sorted(users)])


def _table(split: Split, release: Release, name: str, lists: list[Any], seed: int) -> Any:
    sizes = [len(rows) for rows in lists]
    ids, rows = np.array(release.items.ids), np.concatenate(lists)
    return pa.table(
        {
            "user_id": np.repeat(np.array(split.whole.user_ids)[split.users], sizes),
            "method": np.full(len(rows), name),
            "seed": np.full(len(rows), seed, np.int32),
            "position": np.concatenate([np.arange(size, dtype=np.int32) for size in sizes]),
            "item_id": ids[rows],
        }
    )


def _text(report: dict[str, Any]) -> str:
    seeds = ", ".join(map(str, report["seeds"]))
    lines = [f"cold · {report['dataset']} · {report['on']} · seeds {seeds} · {report['share']:.0%} held out"]
    for truth, methods in report["metrics"].items():
        for name, one in methods.items():
            parts = [(measure, one[measure]) for measure in _MEASURES]
            parts.append(("recall / popularity's", one["ratio"]))
            cells = [f"{key} {v['mean']:.4f} [{v['low']:.4f}, {v['high']:.4f}]" for key, v in parts]
            lines.append(f"{truth:<7}{name:<21}{one['users']:>5} users  " + "  ".join(cells))
    return "\n".join(lines)
