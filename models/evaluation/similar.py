"""The protocol ``similar``: are the items beside a rarely bought one of its kind?

    python -m models.evaluate similar --source completejourney --out var/quality/cj-similar

Categories and brands are hidden from every method and then asked: of the ten places of a list, how many hold
an item of the same category, at each level? An empty place is a miss. Three groups of items, at most
``--items`` of each, drawn by the seed: those that a release knows, without the tenth with the fewest buyers;
that tenth; those that it does not know. No test window: nothing is foretold.

``bought`` is item-to-item as a release makes it; ``popular`` is what stood in where it had nothing;
``content`` is ``recall/content.py`` on title and description; ``bought+content`` fills the first with it.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
from rich.console import Console

from engine.records import ID
from models.evaluation.retail_command import data_arguments, prepared_folder
from models.training import channels
from models.training.catalogue import purchases_before, select_items
from models.training.config import CONFIGS
from models.training.content_fit import fit_content
from models.training.dataset import CatalogueEvents, DataFault, PreparedData, load_prepared

IntArray = npt.NDArray[np.int64]

K = 10
_TAIL = 0.1  # share of a release's items that is its tail
_READ = (ID, "title", "description")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``similar``."""
    data_arguments(parser)
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick", help="which items it knows")
    parser.add_argument("--items", type=int, default=2_000, help="of each group, at most")
    parser.add_argument("--examples", type=int, default=0, help="print so many lists of each group")


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure; raises DataFault where that is impossible."""
    data = load_prepared(prepared_folder(options.source, options.path, options.prepared))
    labels = levels(data)
    if not labels.shape[1]:
        raise DataFault(f"{data.name}: items.parquet has no categories to ask for")
    settings = CONFIGS[options.config]
    chosen = select_items(data, settings.catalogue)
    row = np.full(len(data.item_ids) + 1, -1, np.int64)
    row[chosen] = np.arange(len(chosen))
    bought = purchases_before(CatalogueEvents(data, row[data.events.item]), len(chosen), data.end)
    asked = groups(chosen, bought, len(data.item_ids), options.items, options.seed)
    began = time.monotonic()
    lists = _lists(data, chosen, bought, settings.neighbours, options.seed)
    report = {
        "protocol": options.protocol,
        "dataset": data.name,
        "seed": options.seed,
        "groups": {
            name: {
                "items": len(items),
                "methods": {method: measured(found[items], items, labels) for method, found in lists.items()},
            }
            for name, items in asked.items()
            if len(items)
        },
        "seconds": time.monotonic() - began,
    }
    if options.out is not None:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")
    told = _text(report) + "".join(_examples(data, asked, lists, options.examples))
    Console().print(told, markup=False, highlight=False, soft_wrap=True)
    return 0


def levels(data: PreparedData) -> IntArray:
    """A number for each item's category down to each level, int64 [M, levels]; -1 where its path ends."""
    paths = [record["category_path"] for record in data.records]
    depth = max((len(path) for path in paths), default=0)
    found = np.full((len(paths), depth), -1, np.int64)
    for level in range(depth):
        names = ["\x1f".join(path[: level + 1]) if len(path) > level else "" for path in paths]
        numbers = np.unique(names, return_inverse=True)[1].ravel()
        found[:, level] = np.where([bool(name) for name in names], numbers, -1)
    return found


def groups(
    chosen: IntArray, bought: channels.Purchases, items: int, most: int, seed: int
) -> dict[str, IntArray]:
    """Indices of the items asked for, by group."""
    buyers = np.bincount(np.unique(bought.user * bought.n_items + bought.row) % bought.n_items)
    buyers = np.pad(buyers, (0, len(chosen) - len(buyers)))
    order = np.argsort(buyers, kind="stable")
    tail = int(np.ceil(_TAIL * len(chosen)))
    found = {
        "often bought": chosen[order[tail:]],
        "rarely bought": chosen[order[:tail]],
        "not in the release": np.setdiff1d(np.arange(items), chosen),
    }
    rng = np.random.default_rng(seed)
    return {name: rng.permutation(group)[:most] for name, group in found.items()}


def measured(found: IntArray, items: IntArray, labels: IntArray) -> dict[str, float]:
    """``filled``: share of the K places that hold something; ``level n``: something of the same category down
    to that level, over items that have one. ``found`` int64 [n, K], indices of items, -1 = empty."""
    shares = {"filled": float((found >= 0).mean())}
    for level in range(labels.shape[1]):
        own = labels[items, level]
        same = (labels[found, level] == own[:, None]) & (found >= 0)
        if (own >= 0).any():
            shares[f"level {level + 1}"] = float(same[own >= 0].mean())
    return shares


def filled(first: IntArray, second: IntArray) -> IntArray:
    """The first lists, their empty places taken by what the second name beyond, [n, K]."""
    both = np.full(first.shape, -1, np.int64)
    for line, (own, more) in enumerate(zip(first.tolist(), second.tolist(), strict=True)):
        kept = list(dict.fromkeys(item for item in (*own, *more) if item >= 0))[: first.shape[1]]
        both[line, : len(kept)] = kept
    return both


def _lists(
    data: PreparedData, chosen: IntArray, bought: channels.Purchases, count: int, seed: int
) -> Mapping[str, IntArray]:
    """The lists of all items by method, int64 [M, K] of item indices."""
    shape = (len(data.item_ids), K)
    together = np.full(shape, -1, np.int64)
    rows, _ = channels.neighbours(bought, count)
    together[chosen] = _items(rows[:, :K], chosen)
    popular = channels.popular(bought)
    best = chosen[np.argsort(-popular, kind="stable")[:K]]
    written = np.full(shape, -1, np.int64)
    hidden = [{name: record[name] for name in _READ if name in record} for record in data.records]
    scale = max(float(popular.max(initial=0.0)), 1e-9)
    content = fit_content(hidden, chosen, (popular / scale).astype(np.float32), seed)
    if content is not None:
        others = np.setdiff1d(np.arange(len(data.item_ids)), chosen)
        written[np.concatenate([chosen, others])] = _items(content.rows[:, :K], chosen)
    return {
        "popular": np.broadcast_to(np.pad(best, (0, K - len(best)), constant_values=-1), shape),
        "bought": together,
        "content": written,
        "bought+content": filled(together, written),
    }


def _items(rows: npt.NDArray[np.int32], chosen: IntArray) -> IntArray:
    """Item indices of a release's rows, -1 where there is none; K columns."""
    found = np.where(rows >= 0, chosen[np.maximum(rows, 0)], -1)
    return np.pad(found, ((0, 0), (0, K - found.shape[1])), constant_values=-1)


def _examples(
    data: PreparedData, asked: Mapping[str, IntArray], lists: Mapping[str, IntArray], count: int
) -> list[str]:
    """Some items with what is found beside them by what is written."""
    lines = []
    for name, items in asked.items():
        for item in items[:count].tolist():
            found = [data.records[one]["title"] for one in lists["content"][item].tolist() if one >= 0]
            lines.append(f"\n{name}: {data.records[item]['title']} -> {' | '.join(found[:5])}")
    return lines


def _text(report: dict[str, Any]) -> str:
    lines = [f"{report['protocol']} · {report['dataset']} · seed {report['seed']} · same category, top {K}"]
    for group, told in report["groups"].items():
        lines.append(f"{group}, {told['items']:,} items")
        for method, shares in told["methods"].items():
            cells = "  ".join(f"{name} {share:.4f}" for name, share in shares.items())
            lines.append(f"  {method:<16}{cells}")
    return "\n".join(lines)
