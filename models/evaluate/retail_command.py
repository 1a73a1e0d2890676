"""The command of the protocol ``retail``: options, runs, report, text."""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path

from rich.console import Console

from models.baselines import METHODS
from models.config import CONFIGS
from models.dataset import DataFault, load_prepared
from models.evaluate.protocols import Outcome, run_baseline, write_lists
from models.evaluate.retail import MIN_BUYERS, TEST_DAYS, RetailSplit, cut_of, split
from models.features import DAY_MS

_PREPARED = Path("data/prepared")
_DATASETS = {
    "completejourney": "completejourney",
    "tafeng": "tafeng",
    "ta_feng": "tafeng",
    "ta-feng": "tafeng",
}
_MEASURES = ("recall_at_20", "ndcg_at_20", "hit_rate_at_20", "mrr_at_20")


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``retail``."""
    parser.add_argument(
        "--source", required=True, help="completejourney, tafeng, or a prepared dataset's name"
    )
    parser.add_argument("--path", type=Path, help="the raw files, for a source that is not prepared yet")
    parser.add_argument("--prepared", type=Path, default=_PREPARED, help="where prepared datasets live")
    parser.add_argument("--method", required=True, choices=["pipeline", "pipeline-page", *METHODS])
    parser.add_argument(
        "--min-buyers",
        type=int,
        default=MIN_BUYERS,
        help="of an item of the catalogue; less for tiny data only",
    )
    parser.add_argument(
        "--config", choices=sorted(CONFIGS), default="bench", help="of the pipeline's training"
    )
    parser.add_argument(
        "--artifacts", type=Path, default=Path("var/quality"), help="where its releases are kept"
    )
    parser.add_argument("--release", type=Path, help="a release trained on this window already")


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure; raises DataFault, ReleaseError or ProtocolError where that is impossible."""
    began = time.monotonic()
    folder = prepared_folder(options.source, options.path, options.prepared)
    found = load_split(folder, options.on, options.min_buyers)
    if options.method.startswith("pipeline"):
        from models.evaluate.pipeline import run_pipeline  # noqa: PLC0415 - the services, only where asked

        outcome = run_pipeline(
            *(found, folder, options.config, options.seed, options.artifacts, options.release),
            page=options.method == "pipeline-page",
        )
    else:
        outcome = run_baseline(options.method, found, options.seed)
    if options.out is not None:
        write_lists(outcome, found, options.out)
        _write_report(options, outcome, found, time.monotonic() - began)
    Console().print(_text(options, outcome, found), markup=False, highlight=False, soft_wrap=True)
    return 0


def load_split(folder: Path, on: str, min_buyers: int = MIN_BUYERS) -> RetailSplit:
    """The test of a prepared dataset, or the 28 days before it. Raises DataFault if it has nobody."""
    whole = load_prepared(folder)
    cut = cut_of(whole)
    end = whole.end
    if on == "validation":
        end, cut = cut, cut - TEST_DAYS * DAY_MS
    found = split(whole, cut, end, min_buyers)
    if not len(found.users):
        raise DataFault(f"{folder}: nobody bought both before and in the last {TEST_DAYS} days")
    return found


def prepared_folder(source: str, path: Path | None, prepared: Path) -> Path:
    """The prepared dataset of a source, made from the raw files if ``path`` names them. Raises DataFault."""
    name = _DATASETS.get(source, source)
    folder = prepared / name
    if (folder / "events.parquet").is_file():
        return folder
    if path is not None and (path / "events.parquet").is_file():
        return path
    from data.prepare import main as prepare  # noqa: PLC0415 - only where something is to be prepared

    arguments = [name, "--out", str(prepared)] + (["--path", str(path)] if path is not None else [])
    if prepare(arguments) != 0:
        raise DataFault(f"{folder}: could not be prepared: say python -m data.prepare {' '.join(arguments)}")
    return folder


def _write_report(options: argparse.Namespace, outcome: Outcome, found: RetailSplit, total: float) -> None:
    report = {
        "protocol": options.protocol,
        "dataset": found.data.name,
        "method": options.method,
        "on": options.on,
        "seed": options.seed,
        "items": len(found.item_ids),
        "metrics": outcome.metrics,
        "seconds": {**outcome.seconds, "total": total},
        "memory_mib": round(outcome.memory_mib),
    }
    (options.out / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def _text(options: argparse.Namespace, outcome: Outcome, found: RetailSplit) -> str:
    """The result as plain lines, for terminals and notes alike."""
    told = (options.protocol, found.data.name, options.method, options.on, f"seed {options.seed}")
    lines = [" · ".join(told) + f" · {len(found.item_ids):,} items"]
    for variant, metrics in outcome.metrics.items():
        cells = [
            f"{name} {metrics[name]['mean']:.4f} [{metrics[name]['low']:.4f}, {metrics[name]['high']:.4f}]"
            for name in _MEASURES
        ]
        cells += [f"{name} {metrics[name]:.3f}" for name in ("coverage_at_20", "novelty_at_20")]
        lines.append(f"{variant:<6}{metrics['users']:>7,} users  " + "  ".join(cells))
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in outcome.seconds.items())
    lines.append(f"{spent}; peak memory {outcome.memory_mib:,.0f} MiB")
    if notice := found.data.description["dataset"].get("notice"):
        lines.append(str(notice))
    return "\n".join(lines)
