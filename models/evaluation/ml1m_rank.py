"""The protocol ``ml1m-rank``: will this user give this film more than 3 stars? AUC on a random tenth.

    python -m models.evaluate ml1m-rank --path DIR --method deepfm-history --seed 7 --out DIR

Label 1: more than 3 stars; 0: fewer; ratings of 3 stars are not used at all. The split is one for all methods
and seeds (``ml1m_data``); ``--seed`` is the model's. ``--on validation`` scores a tenth of the training rows
instead. Times are not used: a third of them are imputed in the only full copy.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from models.evaluation.methods.ml1m import METHODS, Task
from models.evaluation.ml1m_data import SPLIT_SEED, Ratings, load
from models.evaluation.rank_measures import rank_measures
from models.evaluation.seeds import add_seeds

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_WORK = Path("var/quality/ml1m-rank")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of this protocol."""
    parser.add_argument("--path", type=Path, required=True, help="the folder of MovieLens-1M")
    parser.add_argument("--method", choices=sorted(METHODS), default="deepfm-history")
    add_seeds(parser)
    parser.add_argument(
        "--kernels",
        type=Path,
        default=_WORK / "kernels.npz",
        help="where the rating kernels are kept: learnt once (minutes), read by later runs",
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Train, score, measure. Raises ProtocolError when the files are not there or not as they should be."""
    began = time.monotonic()
    data = load(options.path)
    learn, score = data.rows(options.on)
    out = options.out or _WORK / f"{options.method}-{options.on}"
    console.print(f"{options.method}: {len(learn):,} rows to learn from, {len(score):,} to score")
    method, task = METHODS[options.method], Task(data, learn, score, options.kernels)
    described = method.describe(task)
    shared = time.monotonic() - began
    seeds: list[int] = options.seeds or [options.seed]
    reports = []
    for seed in seeds:
        began = time.monotonic()
        state = out / f"state-{options.on}-{seed}"
        probabilities = method.score(task, *described, seed, state)
        report: dict[str, Any] = {
            "protocol": "ml1m-rank",
            "method": options.method,
            "on": options.on,
            "seed": seed,
            "split_seed": SPLIT_SEED,
            **rank_measures(data.user[score], data.label[score], probabilities, seed),
            "seconds": {"features": round(shared, 1), "fit": round(time.monotonic() - began, 1)},
            "peak_memory_mib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
        }
        write(data, score, probabilities, report, out if len(seeds) == 1 else out / f"seed-{seed}")
        console.print(_table(report))
        reports.append(report)
    if len(seeds) > 1:
        whole = {"seeds": seeds, **means(reports), "by_seed": reports}
        (out / "report.json").write_text(json.dumps(whole, indent=1) + "\n", "utf-8")
        console.print(_text(whole), highlight=False)
    console.print(f"written: {out}", highlight=False, soft_wrap=True)
    return 0


def means(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """Each measure's mean over the seeds, and the standard deviation (n - 1) of the seeds' values."""
    found: dict[str, Any] = {}
    for name in ("auc", "gauc", "log_loss", "ece"):
        values = [one[name]["value"] if isinstance(one[name], dict) else one[name] for one in reports]
        found[name] = {"mean": float(np.mean(values)), "spread": float(np.std(values, ddof=1))}
    return found


def _text(whole: dict[str, Any]) -> str:
    cells = [
        f"{name} {found['mean']:.4f} ± {found['spread']:.4f}"
        for name, found in whole.items()
        if isinstance(found, dict)
    ]
    return f"mean of seeds {', '.join(map(str, whole['seeds']))}: " + ", ".join(cells)


def write(
    data: Ratings, score: IntArray, probabilities: FloatArray, report: dict[str, Any], out: Path
) -> None:
    """``predictions.parquet`` (user_id, item_id, label, score) and ``report.json``."""
    out.mkdir(parents=True, exist_ok=True)
    columns = {
        "user_id": data.user_ids[data.user[score]],
        "item_id": data.item_ids[data.item[score]],
        "label": data.label[score].astype(np.int8),
        "score": probabilities,
    }
    pq.write_table(pa.table(columns), out / "predictions.parquet")
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _table(report: dict[str, Any]) -> Table:
    table = Table("measure", "value", "95 % interval", title=f"{report['method']} on {report['on']}")
    for name in ("auc", "gauc"):
        found = report[name]
        table.add_row(name, f"{found['value']:.4f}", f"{found['low']:.4f} – {found['high']:.4f}")
    table.add_row("log loss", f"{report['log_loss']:.4f}", "")
    table.add_row("ECE, 10 bins", f"{report['ece']:.4f}", "")
    for place, line in enumerate(report["calibration"]):
        table.add_row(
            f"bin {place}: expected, observed", f"{line['expected']:.3f}", f"{line['observed']:.3f}"
        )
    table.add_row("seconds", ", ".join(f"{k} {v:.0f}" for k, v in report["seconds"].items()), "")
    table.add_row("peak memory, MiB", f"{report['peak_memory_mib']:,}", "")
    return table
