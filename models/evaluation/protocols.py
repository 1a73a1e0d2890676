"""Runs a protocol with a method: from a dataset to lists, measures and files.

A method is one of ``models.evaluation.methods.baselines``, or the pipeline as served (``pipeline.py``).
"""

from __future__ import annotations

import resource
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse
from rich.console import Console

from models.evaluation.methods.baselines import METHODS, Baseline
from models.evaluation.methods.baselines.registry import GRIDS
from models.evaluation.methods.baselines.tuning import Chosen, Settings, choose
from models.evaluation.ranking import DoubleArray, RankedLists, described, per_user, top_k
from models.evaluation.retail import RetailSplit
from models.evaluation.segments import new_item_shares, new_rows, segments_of
from models.training.dataset import DataFault

_BATCH = 512
_CHOOSING_USERS = 3000  # whose lists say which settings are the best


@dataclass
class Outcome:
    """What a run found, each by variant. ``seconds``: fit and lists; ``memory_mib``: the process's peak."""

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)
    segments: dict[str, dict[str, dict[str, Any]]] = field(default_factory=dict)  # then by name
    new_items: dict[str, dict[str, float]] = field(default_factory=dict)
    rank: dict[str, dict[str, Any]] = field(default_factory=dict)  # of the pipeline's candidates
    lists: dict[str, RankedLists] = field(default_factory=dict)
    users: dict[str, dict[str, DoubleArray]] = field(default_factory=dict)  # measures, [G] as in the lists
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mib: float = 0.0
    release: Path | None = None  # that was asked
    chosen: Chosen | None = None  # settings of the method, where they were chosen on the window before


def run_baseline(
    name: str,
    split: RetailSplit,
    seed: int,
    earlier: Callable[[], RetailSplit] | None = None,
    console: Console | None = None,
    k: int = 20,
) -> Outcome:
    """Fit a baseline and rank the whole catalogue for every user of the protocol.

    ``earlier`` gives the window before: where a method has a grid, its settings are chosen there, by NDCG@k
    of what is new to the user. Without it, it has its own defaults.
    """
    outcome = Outcome()
    began = time.monotonic()
    settings = {}
    if name in GRIDS and earlier is not None:
        outcome.chosen = _choose(name, earlier(), seed, k, console or Console(stderr=True))
        settings = outcome.chosen.settings
        outcome.seconds["settings"] = time.monotonic() - began
        began = time.monotonic()
    method = METHODS[name](**settings)
    method.fit(split, seed)
    outcome.seconds["fit"] = time.monotonic() - began
    began = time.monotonic()
    outcome.lists = {
        "all": _rank(method, name, split.users, None, k),
        "novel": _rank(method, name, split.novel_users, split.bought, k),
    }
    outcome.seconds["lists"] = time.monotonic() - began
    return finish(outcome, split, seed, k)


def _choose(name: str, split: RetailSplit, seed: int, k: int, console: Console) -> Chosen:
    users = split.novel_users
    if len(users) > _CHOOSING_USERS:
        users = np.sort(np.random.default_rng(seed).choice(users, _CHOOSING_USERS, replace=False))
    truth = split.novel_truth[users]
    if not len(users):
        raise DataFault(
            f"{split.data.name}: nobody bought anything new in the window where {name} is to be tuned"
        )

    def value_of(settings: Settings) -> float:
        method = METHODS[name](**settings)
        method.fit(split, seed)
        rows = _rank(method, name, users, split.bought, k).rows
        return float(per_user(rows, truth, k)[f"ndcg_at_{k}"].mean())

    return choose(name, GRIDS[name], value_of, console)


def finish(outcome: Outcome, split: RetailSplit, seed: int, k: int = 20) -> Outcome:
    """Measure the outcome's lists against the split's truth, as a whole and by segment."""
    segments, new, popularity = segments_of(split), new_rows(split), split.popularity
    for variant, (users, truth) in truths(split).items():
        rows = outcome.lists[variant].rows
        values = per_user(rows, truth, k)
        outcome.users[variant] = values
        outcome.metrics[variant] = described(rows, values, popularity, k, seed)
        outcome.new_items[variant] = new_item_shares(rows[:, :k], truth, new)
        found = outcome.segments[variant] = {}
        for segment in segments:
            chosen = segment.members[users]
            if chosen.any():
                theirs = {name: column[chosen] for name, column in values.items()}
                found[segment.name] = {
                    "definition": segment.definition,
                    **described(rows[chosen], theirs, popularity, k, seed),
                }
    outcome.memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return outcome


def truths(split: RetailSplit) -> dict[str, tuple[Any, Any]]:
    """By variant: who is measured, [G], ascending, and what they took, CSR [G, N]."""
    return {
        "all": (split.users, split.truth[split.users]),
        "novel": (split.novel_users, split.novel_truth[split.novel_users]),
    }


def write_lists(outcome: Outcome, split: RetailSplit, folder: Path) -> None:
    """``all.parquet`` and ``novel.parquet``: user_id, position (from 0), item_id, score, channel; and
    ``users.parquet``: user_id, variant and each measure of the user."""
    folder.mkdir(parents=True, exist_ok=True)
    item_ids, user_ids = np.array(split.item_ids), np.array(split.data.user_ids)
    for variant, lists in outcome.lists.items():
        line, position = np.nonzero(lists.rows >= 0)
        table = pa.table(
            {
                "user_id": user_ids[lists.users[line]],
                "position": position.astype(np.int32),
                "item_id": item_ids[lists.rows[line, position]],
                "score": lists.scores[line, position],
                "channel": lists.channel[line, position],
            }
        )
        pq.write_table(table, folder / f"{variant}.parquet")

    write_users(
        {variant: (user_ids[users], outcome.users[variant]) for variant, (users, _) in truths(split).items()},
        folder,
    )


def write_users(measured: dict[str, tuple[Any, dict[str, DoubleArray]]], folder: Path) -> None:
    """``users.parquet``, what ``compare`` reads: by variant the user ids [G] and measures, [G] each."""
    folder.mkdir(parents=True, exist_ok=True)
    parts = [
        pa.table({"user_id": ids, "variant": np.full(len(ids), variant), **values})
        for variant, (ids, values) in measured.items()
    ]
    pq.write_table(pa.concat_tables(parts), folder / "users.parquet")


def _rank(method: Baseline, name: str, users: Any, hidden: Any, k: int) -> RankedLists:
    rows, values = [], []
    for begin in range(0, len(users), _BATCH):
        part = users[begin : begin + _BATCH]
        scores = np.asarray(method.scores(part), np.float32)
        if hidden is not None:
            line, column = scipy.sparse.csr_matrix(hidden[part]).nonzero()
            scores[line, column] = -np.inf
        best = top_k(scores, k)
        rows.append(best)
        values.append(np.take_along_axis(scores, np.maximum(best, 0), axis=1))
    shown = np.concatenate(rows)
    return RankedLists(users, shown, np.concatenate(values), np.full(shown.shape, name))
