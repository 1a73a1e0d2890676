"""The protocols ``sasrec-loo`` and ``ml1m-loo``: predict the last item of every user's history.

``ml1m-loo`` is MovieLens-1M; ``sasrec-loo`` any sequences: SASRec's file of MovieLens-1M, another file of
that form (``--path``), or what users took in a prepared dataset (``--source``).

The whole catalogue is ranked, never a sample. Test: the last item; validation: the one before it. ``novel``
leaves out of the lists what the user took before, as SASRec+ does (its ``filter_seen``), and measures the
users whose target is new to them (in MovieLens all are); ``all`` does neither. Baselines learn from
everything before the target; ``sequence`` learns from what is before the validation item (with ``--refit``,
at last, from that one too) and is asked with all before the target.

Papers: Kang & McAuley, ICDM 2018; Klenitskiy & Vasilev, RecSys 2023.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from models.evaluation.errors import ProtocolError
from models.evaluation.methods.baselines import METHODS
from models.evaluation.methods.baselines.registry import GRIDS
from models.evaluation.methods.baselines.tuning import Chosen, Settings, choose
from models.evaluation.methods.sequence import SequenceConfig
from models.evaluation.methods.sequence_settings import TowerSetup, setup_for
from models.evaluation.protocols import write_users
from models.evaluation.ranking import RankedLists, described, per_user, top_k
from models.evaluation.report import settings_of
from models.evaluation.retail_command import prepared_folder, source_arguments
from models.evaluation.seeds import add_seeds, joined, mean_users
from models.evaluation.sequences import (
    LeaveOneOut,
    Sequences,
    Taken,
    load_ml1m,
    load_sasrec,
    load_shop,
    split,
)
from models.training.dataset import load_prepared

_BASELINES = ("popularity", "itemknn", "ease", "ials")
_PLACES = 20
_BATCH = 512
_CHOOSING_USERS = 3000  # whose lists say which settings are the best
# With one item in the truth both recalls are the hit rate.
_SHOWN = ("hit_rate_at_10", "ndcg_at_10", "recall_at_20", "recall_of_truth_at_20", "ndcg_at_20", "mrr_at_20")


@dataclass(frozen=True)
class Plan:
    """A protocol's data, and the tower that validation chose for it; None: by the size of the data."""

    load: Callable[[Path], Sequences]
    config: SequenceConfig | None
    members: int
    content: bool

    def setup(self, data: Sequences) -> TowerSetup:
        """The towers, less what the command line says."""
        if self.config is None:
            return setup_for(data)
        return TowerSetup(self.config, self.members, self.content)


PLANS = {
    "sasrec-loo": Plan(load_sasrec, None, 0, False),
    "ml1m-loo": Plan(load_ml1m, SequenceConfig(epochs=10), 1, True),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of both protocols."""
    parser.add_argument("--path", type=Path, help="the folder or file of the data")
    source_arguments(parser, required=False)
    parser.add_argument(
        "--min-takers",
        type=int,
        default=5,
        help="with --source: users that an item needs to be in the catalogue",
    )
    parser.add_argument("--method", required=True, choices=["sequence", *_BASELINES])
    parser.add_argument(
        "--artifacts",
        type=Path,
        default=Path("var/quality/sequence"),
        help="where trained towers are kept: what is there is used, what is half done goes on",
    )
    add_seeds(parser)
    parser.add_argument("--epochs", type=int, help="of the tower, in place of the protocol's own number")
    parser.add_argument("--members", type=int, help="towers of seeds that follow each other, which make one")
    parser.add_argument(
        "--refit", action="store_true", help="in the end the tower learns from the validation items too"
    )
    parser.add_argument(
        "--memory",
        type=float,
        help="weight of the memory beside the tower (sequence_memory.py), 0: the tower alone; if not given, "
        "0 on dense data and chosen on validation on sparse data",
    )


def sequences_of(options: argparse.Namespace, plan: Plan) -> Sequences:
    """The data asked for. Raises ProtocolError or DataFault."""
    if (options.path is None) == (options.source is None):
        raise ProtocolError("say which data: --path FILE, or --source NAME of a prepared dataset")
    if options.path is not None:
        return plan.load(options.path)
    if options.protocol != "sasrec-loo":
        raise ProtocolError(f"{options.protocol} reads MovieLens-1M from --path; --source is for sasrec-loo")
    folder = prepared_folder(options.source, None, options.prepared)
    return load_shop(load_prepared(folder), options.min_takers)


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure; raises ProtocolError where the data are not to be read."""
    plan = PLANS[options.protocol]
    if options.refit and options.on == "validation":
        raise ProtocolError("--refit learns from the validation items: leave it out, or say --on test")
    if options.memory is not None and not 0 <= options.memory < np.inf:
        raise ProtocolError(f"--memory {options.memory}: give a number that is 0 or more")
    found = split(sequences_of(options, plan), options.on)
    seeds: list[int] = options.seeds or [options.seed]
    runs = []
    for seed in seeds:
        folder = options.out / f"seed-{seed}" if options.out and len(seeds) > 1 else options.out
        runs.append(_measured(options, plan, found, seed, folder, console))
    report, users = runs[0] if len(seeds) == 1 else _mean(runs, seeds)
    if options.out is not None and len(seeds) > 1:
        names = np.array(found.data.user_ids)
        kept = {variant: (names[measured_users(found, variant)], own) for variant, own in users.items()}
        write_users(kept, options.out)
        (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    Console().print(text(report), markup=False, highlight=False, soft_wrap=True)
    return 0


def _measured(
    options: argparse.Namespace, plan: Plan, found: LeaveOneOut, seed: int, out: Path | None, console: Console
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One seed's report and each user's measures by variant, written to ``out``."""
    began = time.monotonic()
    method, extra = _fitted(options, plan, found, seed, console)
    seconds = {"fit": time.monotonic() - began}
    began = time.monotonic()
    lists = {variant: rank(method, options.method, found, variant) for variant in ("novel", "all")}
    seconds["lists"] = time.monotonic() - began
    measured = {variant: measures(found, kept, seed) for variant, kept in lists.items()}
    users = {variant: own for variant, (_, own) in measured.items()}
    report = {
        "protocol": options.protocol,
        "dataset": found.data.name,
        "users": len(found.known),
        "events": sum(len(history) for history in found.data.histories),
        "method": options.method,
        "on": options.on,
        "seed": seed,
        "seeds": [seed],
        "items": found.data.n_items,
        **extra,
        "metrics": {variant: figures for variant, (figures, _) in measured.items()},
        "seconds": seconds,
        "memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }
    if out is not None:
        write(found, lists, users, out)
        (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    return report, users


def _mean(
    runs: list[tuple[dict[str, Any], dict[str, Any]]], seeds: list[int]
) -> tuple[dict[str, Any], dict[str, Any]]:
    reports = [report for report, _ in runs]
    users = {variant: mean_users([own[variant] for _, own in runs]) for variant in runs[0][1]}
    metrics = {
        variant: joined([report["metrics"][variant] for report in reports], own, seeds[0])
        for variant, own in users.items()
    }
    seconds = {name: sum(report["seconds"][name] for report in reports) for name in reports[0]["seconds"]}
    return {**reports[0], "seeds": seeds, "metrics": metrics, "seconds": seconds}, users


def _fitted(
    options: argparse.Namespace, plan: Plan, found: LeaveOneOut, seed: int, console: Console
) -> tuple[Any, dict[str, Any]]:
    if options.method != "sequence":
        name, taken = options.method, Taken(found.seen)
        chosen = _choose(name, split(found.data, "validation"), seed, console) if name in GRIDS else None
        method: Any = METHODS[name](**(chosen.settings if chosen else {}))
        method.fit(taken, seed)
        return method, settings_of(chosen) if chosen else {}
    from models.evaluation.methods.sequence_method import fitted  # noqa: PLC0415 - Paddle, only where asked

    setup = plan.setup(found.data)
    config = setup.config if options.epochs is None else replace(setup.config, epochs=options.epochs)
    memory = setup.memory if options.memory is None else options.memory
    setup = TowerSetup(config, options.members or setup.members, plan.content, options.refit, memory)
    return fitted(setup, options.artifacts / options.protocol, found, seed, console)


def _choose(name: str, held: LeaveOneOut, seed: int, console: Console) -> Chosen:
    """Settings by N@10 of what is new to some of the users, on the validation items."""
    taken, seen = Taken(held.seen), held.seen
    users = np.sort(np.random.default_rng(seed).permutation(held.fresh)[:_CHOOSING_USERS])
    truth = held.truth[users]

    def value_of(settings: Settings) -> float:
        method: Any = METHODS[name](**settings)
        method.fit(taken, seed)
        scores = np.array(method.scores(users), np.float32)
        scores[seen[users].nonzero()] = -np.inf
        return float(per_user(top_k(scores, _PLACES), truth, 10)["ndcg_at_10"].mean())

    return choose(name, GRIDS[name], value_of, console)


def measured_users(found: LeaveOneOut, variant: str) -> Any:
    """Whom a variant measures, ascending: for ``novel`` those who had not taken the target before."""
    return found.fresh if variant == "novel" else np.arange(len(found.known))


def rank(method: Any, name: str, found: LeaveOneOut, variant: str) -> RankedLists:
    """The best 20 of every user; ``novel`` without what is known of the user."""
    users = measured_users(found, variant)
    rows, values, seen = [], [], found.seen
    for begin in range(0, len(users), _BATCH):
        part = users[begin : begin + _BATCH]
        scores = np.array(method.scores(part), np.float32)
        if variant == "novel":
            scores[seen[part].nonzero()] = -np.inf
        best = top_k(scores, _PLACES)
        rows.append(best)
        values.append(np.take_along_axis(scores, np.maximum(best, 0), axis=1))
    shown = np.concatenate(rows)
    return RankedLists(users, shown, np.concatenate(values), np.full(shown.shape, name))


def measures(found: LeaveOneOut, lists: RankedLists, seed: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """At 10 and at 20: means with intervals, coverage, novelty; and each listed user's own, [G]."""
    takers = np.asarray(found.seen.sum(axis=0)).ravel()
    popularity = np.maximum(takers, 1.0) / len(found.known)
    truth, users, figures = found.truth[lists.users], {}, {}
    for k in (10, _PLACES):
        own = per_user(lists.rows, truth, k)
        users.update(own)
        figures.update(described(lists.rows, own, popularity, k, seed))
    return figures, users


def write(
    found: LeaveOneOut, lists: dict[str, RankedLists], users: dict[str, dict[str, Any]], folder: Path
) -> None:
    """``novel.parquet`` and ``all.parquet``: user_id, position (from 0), item_id, score, channel; and
    ``users.parquet``: user_id, variant and each measure of the user."""
    folder.mkdir(parents=True, exist_ok=True)
    user_ids, item_ids = np.array(found.data.user_ids), np.array(found.data.item_ids)
    for variant, kept in lists.items():
        line, position = np.nonzero(kept.rows >= 0)
        table = pa.table(
            {
                "user_id": user_ids[kept.users[line]],
                "position": position.astype(np.int32),
                "item_id": item_ids[kept.rows[line, position]],
                "score": kept.scores[line, position],
                "channel": kept.channel[line, position],
            }
        )
        pq.write_table(table, folder / f"{variant}.parquet")
    write_users({variant: (user_ids[lists[variant].users], own) for variant, own in users.items()}, folder)


def text(report: dict[str, Any]) -> str:
    """The result as plain lines."""
    seeds = ", ".join(map(str, report["seeds"]))
    told = (report["protocol"], report["dataset"], report["method"], report["on"], f"seed {seeds}")
    size = f"{report['items']:,} items, {report['users']:,} users, {report['events']:,} events"
    lines = [f"{' · '.join(told)} · {size}"]
    for variant, metrics in report["metrics"].items():
        cells = [
            f"{name} {metrics[name]['mean']:.4f} [{metrics[name]['low']:.4f}, {metrics[name]['high']:.4f}]"
            + (f" ± {metrics[name]['spread']:.4f}" if "spread" in metrics[name] else "")
            for name in _SHOWN
        ]
        cells.append(f"coverage_at_20 {metrics['coverage_at_20']:.3f}")
        lines.append(f"{variant:<6}{metrics['users']:>7,} users  " + "  ".join(cells))
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in report["seconds"].items())
    return "\n".join([*lines, f"{spent}; peak memory {report['memory_mib']:,} MiB"])
