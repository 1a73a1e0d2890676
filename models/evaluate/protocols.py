"""Runs a protocol with a method: from a dataset to lists, measures and files.

A method is one of ``models.baselines``, or the pipeline as served (``models/evaluate/pipeline.py``).
"""

from __future__ import annotations

import resource
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scipy.sparse

from models.baselines import METHODS, Baseline
from models.evaluate.ranking import RankedLists, measure, top_k
from models.evaluate.retail import RetailSplit

_BATCH = 512
VARIANTS = ("all", "novel")


@dataclass
class Outcome:
    """What a run found. ``seconds``: fit and lists; ``memory``: the process's peak resident MiB."""

    metrics: dict[str, dict[str, Any]] = field(default_factory=dict)  # by variant
    lists: dict[str, RankedLists] = field(default_factory=dict)
    seconds: dict[str, float] = field(default_factory=dict)
    memory_mib: float = 0.0
    release: Path | None = None  # that was asked


def run_baseline(name: str, split: RetailSplit, seed: int, k: int = 20) -> Outcome:
    """Fit a baseline and rank the whole catalogue for every user of the protocol."""
    outcome = Outcome()
    began = time.monotonic()
    method = METHODS[name]()
    method.fit(split, seed)
    outcome.seconds["fit"] = time.monotonic() - began
    began = time.monotonic()
    outcome.lists = {
        "all": _rank(method, name, split.users, None, k),
        "novel": _rank(method, name, split.novel_users, split.bought, k),
    }
    outcome.seconds["lists"] = time.monotonic() - began
    return finish(outcome, split, seed, k)


def finish(outcome: Outcome, split: RetailSplit, seed: int, k: int = 20) -> Outcome:
    """Measure the outcome's lists against the split's truth."""
    for variant, users, truth in (
        ("all", split.users, split.truth),
        ("novel", split.novel_users, split.novel_truth),
    ):
        lists = outcome.lists[variant].of(users)
        outcome.metrics[variant] = measure(lists, truth[users], split.popularity, k, seed)
    outcome.memory_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return outcome


def write_lists(outcome: Outcome, split: RetailSplit, folder: Path) -> None:
    """``all.parquet`` and ``novel.parquet``: user_id, position (from 0), item_id, score, channel."""
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
