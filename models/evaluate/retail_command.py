"""The command of the protocol ``retail``: options, runs, report, text."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from models.baselines import METHODS
from models.config import CONFIGS
from models.dataset import DataFault, load_prepared
from models.evaluate.errors import ProtocolError
from models.evaluate.protocols import Outcome, run_baseline
from models.evaluate.report import text, write
from models.evaluate.retail import MIN_BUYERS, TEST_DAYS, RetailSplit, cut_of, split
from models.evaluate.seeds import add_seeds, combine
from models.features import DAY_MS

_PREPARED = Path("data/prepared")
_DATASETS = {
    "completejourney": "completejourney",
    "tafeng": "tafeng",
    "ta_feng": "tafeng",
    "ta-feng": "tafeng",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``retail``."""
    data_arguments(parser)
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
    parser.add_argument("--release", type=Path, help="a release trained on this window already")


def data_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of every protocol on prepared data: which, and where releases of it are kept."""
    parser.add_argument(
        "--source", required=True, help="completejourney, tafeng, or a prepared dataset's name"
    )
    parser.add_argument("--path", type=Path, help="the raw files, for a source that is not prepared yet")
    parser.add_argument("--prepared", type=Path, default=_PREPARED, help="where prepared datasets live")
    add_seeds(parser)
    parser.add_argument(
        "--artifacts", type=Path, default=Path("var/quality"), help="where its releases are kept"
    )


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure; raises DataFault, ReleaseError or ProtocolError where that is impossible."""
    seeds: list[int] = options.seeds or [options.seed]
    if options.release is not None and len(seeds) > 1:
        raise ProtocolError(f"{options.release}: is of one seed: leave out --seeds or --release")
    folder = prepared_folder(options.source, options.path, options.prepared)
    found = load_split(folder, options.on, options.min_buyers)
    outcomes = []
    for seed in seeds:
        began = time.monotonic()
        outcome = _measured(options, found, folder, seed)
        outcome.seconds["total"] = time.monotonic() - began
        outcomes.append(outcome)
        if options.out is not None and len(seeds) > 1:
            write(outcome, found, options.out / f"seed-{seed}", _about(options, found, [seed]))
    whole = outcomes[0] if len(seeds) == 1 else combine(outcomes, found)
    about = _about(options, found, seeds)
    if options.out is not None:
        write(whole, found, options.out, about)
    Console().print(text(whole, about), markup=False, highlight=False, soft_wrap=True)
    return 0


def _measured(options: argparse.Namespace, found: RetailSplit, folder: Path, seed: int) -> Outcome:
    if not options.method.startswith("pipeline"):
        return run_baseline(options.method, found, seed)
    from models.evaluate.pipeline import run_pipeline  # noqa: PLC0415 - the services, only where asked

    page = options.method == "pipeline-page"
    where = (options.artifacts, options.release)
    return run_pipeline(found, folder, options.config, seed, *where, page=page)


def _about(options: argparse.Namespace, found: RetailSplit, seeds: list[int]) -> dict[str, Any]:
    """What the report says of the run before its figures."""
    about = {
        "protocol": options.protocol,
        "dataset": found.data.name,
        "method": options.method,
        "on": options.on,
        "seed": seeds[0],
        "seeds": seeds,
        "items": len(found.item_ids),
    }
    if options.method.startswith("pipeline"):
        about["config"] = options.config
    if notice := found.data.description["dataset"].get("notice"):
        about["notice"] = str(notice)
    return about


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
