"""The protocol ``new-items``: recommend what nobody has bought yet to those who then buy it.

    python -m models.evaluate new-items --source completejourney --out var/quality/cj-new-items

New items: first bought in the last 28 days, so that nothing is known of them at the cut but their content.
Users: those with a history who buy one of them. Every method ranks all new items for each user. The share is
that of the (user, new item) pairs that the user's best 20 contain; with it recall over min(|truth|, 20), hit
rate and NDCG, by user. Where a method gives equal scores, what chance would give is reported, as the mean of
some draws. Prices of new items are struck out: datasets without a price list derive them from the very sales
that are to be foretold (``data/sources/prices.py``).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console

from engine.features import DAY_MS
from engine.release import Release
from models.evaluation.methods.new_items import METHODS, OF_RELEASE, Method, ReleaseVectors
from models.evaluation.ranking import DoubleArray, IntArray
from models.evaluation.retail import TEST_DAYS, cut_of
from models.evaluation.retail_command import data_arguments, prepared_folder
from models.evaluation.trained import code_digest, run_name, train_once
from models.training.config import CONFIGS
from models.training.dataset import DataFault, PreparedData, load_prepared

K = 20
AGAINST = "category-popularity"
MEASURES = (
    "hits",
    "pairs",
    *(f"{name}_at_{K}" for name in ("recall", "ndcg", "hit_rate", "recall_of_truth")),
)
_DRAWS = 20  # of the order of equal scores
_BATCH = 64


@dataclass(frozen=True)
class Question:
    """``data`` ends at the cut; ``new`` [P] are its catalogue indices of new items, ``truth`` bool [G, P]."""

    data: PreparedData
    cut: int
    new: IntArray
    users: IntArray  # [G]
    truth: npt.NDArray[np.bool_]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``new-items``."""
    data_arguments(parser)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick", help="of the towers' training")
    parser.add_argument("--release", type=Path, help="a release trained on this window already")
    parser.add_argument("--windows-back", type=int, default=0, help="ask so many windows before that")
    parser.add_argument(
        "--methods",
        default=",".join(METHODS),
        help=f"of {', '.join(METHODS)}; {' and '.join(OF_RELEASE)} train a release",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Rank and measure; raises DataFault, ReleaseError or ProtocolError."""
    names = options.methods.split(",")
    if unknown := [name for name in names if name not in METHODS]:
        raise DataFault(f"--methods: {unknown[0]!r} is none of {', '.join(METHODS)}")
    folder = prepared_folder(options.source, options.path, options.prepared)
    whole = load_prepared(folder)
    back = options.windows_back + (options.on == "validation")
    cut = cut_of(whole) - back * TEST_DAYS * DAY_MS
    asked = question(whole, load_prepared(folder, cut), cut)
    settings = replace(CONFIGS[options.config], seed=options.seed)
    hits: dict[str, dict[str, DoubleArray]] = {}
    seconds: dict[str, float] = {}
    tables = []
    for name in dict.fromkeys([AGAINST, *names]):
        began = time.monotonic()
        release = None
        if name in OF_RELEASE:
            home = options.artifacts / run_name(asked.data, settings, code_digest())
            release = Release.load(options.release or train_once(asked.data, settings, home, console))
            if release.data_end > cut:
                raise DataFault(f"{release.path}: was trained on events of the test window: train again")
        method = METHODS[name](asked.data, asked.new, asked.cut, settings, release)
        rows, scores, hits[name] = ranked(method, asked, options.seed)
        tables.append(_table(asked, name, rows, scores))
        seconds[name] = time.monotonic() - began
        if isinstance(method, ReleaseVectors):
            hits["towers, whole catalogue"] = _among_all(method, asked)
    report = {
        "protocol": options.protocol,
        "dataset": whole.name,
        "on": options.on if not options.windows_back else f"{back} windows before the test",
        "seed": options.seed,
        "new_items": len(asked.new),
        "users": len(asked.users),
        "pairs": int(asked.truth.sum()),
        "methods": {name: measured(found, hits[AGAINST], options.seed) for name, found in hits.items()},
        "seconds": seconds,
    }
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        pq.write_table(pa.concat_tables(tables), options.out / "lists.parquet")
        (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    Console().print(_text(report), markup=False, highlight=False, soft_wrap=True)
    return 0


def question(whole: PreparedData, data: PreparedData, cut: int) -> Question:
    """What is asked at the cut; ``data`` are the events before it. Raises DataFault if nobody is asked."""
    stream, n = whole.events, len(whole.item_ids)
    positive = whole.positive[stream.type] & (stream.item >= 0)
    first = np.full(n, np.iinfo(np.int64).max)
    np.minimum.at(first, stream.item[positive], stream.at[positive])
    end = cut + TEST_DAYS * DAY_MS
    new = np.flatnonzero((first >= cut) & (first < end))
    place = np.full(n, -1, np.int64)
    place[new] = np.arange(len(new))
    during = positive & (stream.at >= cut) & (stream.at < end)
    during[during] &= place[stream.item[during]] >= 0
    index = {user: number for number, user in enumerate(data.user_ids)}
    of_data = np.array([index.get(user, -1) for user in whole.user_ids], np.int64)
    users = np.unique(of_data[stream.user[during]])
    known = data.events.start[users + 1] > data.events.start[users]
    users = users[known & (users >= 0)]
    if not len(users) or len(new) <= K:
        raise DataFault(f"{whole.name}: too few new items in the {TEST_DAYS} days asked for")
    truth = np.zeros((len(data.user_ids), len(new)), np.bool_)
    truth[of_data[stream.user[during]], place[stream.item[during]]] = True
    records = list(data.records)
    for item in np.flatnonzero(first >= cut).tolist():
        records[item] = {**records[item], "price": None}
    return Question(replace(data, records=records), cut, new, users, truth[users])


def ranked(
    method: Method, asked: Question, seed: int
) -> tuple[IntArray, npt.NDArray[np.float32], dict[str, DoubleArray]]:
    """The best K of each user, int64 [G, K], their scores, and each user's measures, [G] each."""
    rng = np.random.default_rng(seed)
    draws = _DRAWS if method.ties else 1
    rows, values, found = [], [], []
    for begin in range(0, len(asked.users), _BATCH):
        part = slice(begin, begin + _BATCH)
        scores = np.asarray(method.scores(asked.users[part]), np.float32)
        for draw in range(draws):
            order = rng.permutation(scores.shape[1]) if method.ties else np.arange(scores.shape[1])
            best = order[_top(scores[:, order])]
            if draw == 0:
                rows.append(best)
                values.append(np.take_along_axis(scores, best, axis=1))
                found.append(per_user(best, asked.truth[part]) / draws)
            else:
                found[-1] += per_user(best, asked.truth[part]) / draws
    table = np.concatenate(found)
    return np.concatenate(rows), np.concatenate(values), dict(zip(MEASURES, table.T, strict=True))


def per_user(rows: IntArray, truth: npt.NDArray[np.bool_]) -> DoubleArray:
    """``MEASURES`` of lists int64 [B, K]: [B, 6]; recall is over min(pairs, K), that of the truth over
    pairs."""
    hit = np.take_along_axis(truth, rows, axis=1)
    pairs = truth.sum(axis=1)
    size = np.minimum(pairs, K)
    discount = 1.0 / np.log2(np.arange(2, K + 2))
    gain = (hit * discount).sum(axis=1) / np.cumsum(discount)[size - 1]
    hits = hit.sum(axis=1)
    return np.stack([hits, pairs, hits / size, gain, hit.any(axis=1), hits / pairs], axis=1)


def measured(found: dict[str, DoubleArray], against: dict[str, DoubleArray], seed: int) -> dict[str, Any]:
    """The share of pairs, its ratio to that of ``against`` and the users' means, by bootstrap over users."""
    rng = np.random.default_rng(seed)
    users = len(found["pairs"])
    count = np.stack([np.bincount(rng.integers(0, users, users), minlength=users) for _ in range(1000)])
    columns = np.stack([*found.values(), against["hits"]], axis=1)
    drawn, true = count @ columns, columns.sum(axis=0)  # [1000, 7], [7]
    names = [*found, "against"]
    result: dict[str, Any] = {}
    for name in names[2:-1]:
        at = names.index(name)
        result[name] = _interval(true[at] / users, drawn[:, at] / users)
    result["share_of_pairs"] = _interval(true[0] / true[1], drawn[:, 0] / drawn[:, 1])
    result["ratio"] = _interval(true[0] / max(true[-1], 1e-9), drawn[:, 0] / np.maximum(drawn[:, -1], 1e-9))
    if "slots" in found:
        result["share_of_slots"] = float(found["slots"].mean())
    return result


def _interval(value: float, draws: DoubleArray) -> dict[str, float]:
    low, high = np.percentile(draws, (2.5, 97.5)).tolist()
    return {"mean": float(value), "low": low, "high": high}


def _top(scores: npt.NDArray[np.float32]) -> IntArray:
    """Columns of the K highest scores of each line, best first; of equal ones the first columns."""
    return np.argsort(-scores, axis=1, kind="stable")[:, :K].astype(np.int64)


def _among_all(method: ReleaseVectors, asked: Question) -> dict[str, DoubleArray]:
    """New items by content vectors in lists of the whole catalogue: what they get, and find, unasked."""
    found, slots = [], []
    for users, truth in _parts(asked):
        new, known = method.scores(users), method.known_scores(users)
        best = _top(np.concatenate([new, known], axis=1))
        padded = np.concatenate([truth, np.zeros((len(truth), known.shape[1]), np.bool_)], axis=1)
        found.append(per_user(best, padded))
        slots.append((best < new.shape[1]).mean(axis=1))
    table = np.concatenate(found)
    return {**dict(zip(MEASURES, table.T, strict=True)), "slots": np.concatenate(slots)}


def _parts(asked: Question) -> Iterator[tuple[IntArray, npt.NDArray[np.bool_]]]:
    for begin in range(0, len(asked.users), _BATCH):
        yield asked.users[begin : begin + _BATCH], asked.truth[begin : begin + _BATCH]


def _table(asked: Question, name: str, rows: IntArray, scores: npt.NDArray[np.float32]) -> Any:
    user_ids, item_ids = np.array(asked.data.user_ids), np.array(asked.data.item_ids)
    return pa.table(
        {
            "method": np.full(rows.size, name),
            "user_id": np.repeat(user_ids[asked.users], K),
            "position": np.tile(np.arange(K, dtype=np.int32), len(rows)),
            "item_id": item_ids[asked.new[rows.ravel()]],
            "score": scores.ravel(),
        }
    )


def _text(report: dict[str, Any]) -> str:
    told = (report["protocol"], report["dataset"], report["on"], f"seed {report['seed']}")
    counts = f"{report['new_items']:,} new items, {report['users']:,} users, {report['pairs']:,} pairs"
    lines = [" · ".join(told) + f" · {counts}"]
    for name, found in report["methods"].items():
        cells = [
            f"{label} {found[key]['mean']:.4f} [{found[key]['low']:.4f}, {found[key]['high']:.4f}]"
            for label, key in (("share", "share_of_pairs"), ("ratio", "ratio"))
        ]
        cells += [
            f"{label} {found[f'{key}_at_{K}']['mean']:.4f}"
            for label, key in (("R", "recall"), ("RT", "recall_of_truth"), ("N", "ndcg"), ("HR", "hit_rate"))
        ]
        if "share_of_slots" in found:
            cells.append(f"slots {found['share_of_slots']:.4f}")
        lines.append(f"{name:<24}" + "  ".join(cells))
    return "\n".join(lines)
