"""The command of the protocol ``retail``: options, runs, report, text."""

from __future__ import annotations

import argparse
import time
from pathlib import Path
from typing import Any

from rich.console import Console

from models.evaluation.errors import ProtocolError
from models.evaluation.files import FixedFiles, read_files
from models.evaluation.methods.baselines import METHODS
from models.evaluation.methods.baselines.registry import NEEDS_TIMES
from models.evaluation.protocols import Outcome, run_baseline
from models.evaluation.report import text, write
from models.evaluation.retail import MIN_BUYERS, TEST_DAYS, LastDays, RetailSplit, day, window_days
from models.evaluation.seeds import add_seeds, combine
from models.training.config import CONFIGS
from models.training.dataset import DataFault, load_prepared

_PREPARED = Path("data/prepared")
_DATASETS = {
    "completejourney": "completejourney",
    "tafeng": "tafeng",
    "ta_feng": "tafeng",
    "ta-feng": "tafeng",
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``retail``."""
    data_arguments(parser, required=False)
    parser.add_argument(
        "--train", type=Path, help="in place of --source: events to learn from, CSV or Parquet"
    )
    parser.add_argument("--test", type=Path, help="with --train: events to predict")
    parser.add_argument("--method", required=True, choices=["pipeline", "pipeline-page", *METHODS])
    parser.add_argument(
        "--test-days",
        type=_positive,
        help=f"the days to predict (default {TEST_DAYS}, of short data a quarter)",
    )
    parser.add_argument(
        "--min-buyers",
        type=_positive,
        help=f"of an item of the catalogue (default {MIN_BUYERS}, in small data one in a hundred; files: 1)",
    )
    parser.add_argument(
        "--config", choices=sorted(CONFIGS), default="bench", help="of the pipeline's training"
    )
    parser.add_argument("--release", type=Path, help="a release trained on this window already")


def _positive(text: str) -> int:
    if not text.isdigit() or not int(text):
        raise argparse.ArgumentTypeError(f"must be a whole number of 1 or more, not {text!r}")
    return int(text)


def data_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """The options of every protocol on prepared data: which, and where releases of it are kept."""
    source_arguments(parser, required)
    parser.add_argument("--path", type=Path, help="the raw files, for a source that is not prepared yet")
    add_seeds(parser)
    parser.add_argument(
        "--artifacts", type=Path, default=Path("var/quality"), help="where its releases are kept"
    )


def source_arguments(parser: argparse.ArgumentParser, required: bool = True) -> None:
    """Which prepared dataset."""
    parser.add_argument(
        "--source", required=required, help="completejourney, tafeng, or a prepared dataset's name"
    )
    parser.add_argument("--prepared", type=Path, default=_PREPARED, help="where prepared datasets live")


def run(options: argparse.Namespace, console: Console) -> int:
    """Measure; raises DataFault, ReleaseError or ProtocolError where that is impossible."""
    seeds: list[int] = options.seeds or [options.seed]
    if options.release is not None and len(seeds) > 1:
        raise ProtocolError(f"{options.release}: is of one seed: leave out --seeds or --release")
    question, folder = _question(options)
    back = int(options.on == "validation")
    found = question.split(back)
    outcomes = []
    for seed in seeds:
        began = time.monotonic()
        if options.method.startswith("pipeline"):
            outcome = _pipeline(options, found, folder, seed)
        else:
            outcome = run_baseline(options.method, found, seed, lambda: question.split(back + 1), console)
        outcome.seconds["total"] = time.monotonic() - began
        outcomes.append(outcome)
        if options.out is not None and len(seeds) > 1:
            write(outcome, found, options.out / f"seed-{seed}", _about(options, question, found, [seed]))
    whole = outcomes[0] if len(seeds) == 1 else combine(outcomes, found)
    about = _about(options, question, found, seeds)
    if options.out is not None:
        write(whole, found, options.out, about)
    Console().print(text(whole, about), markup=False, highlight=False, soft_wrap=True)
    return 0


def _question(options: argparse.Namespace) -> tuple[LastDays | FixedFiles, Path]:
    """What is asked, and the folder of the prepared data to learn from."""
    if (options.train is None) != (options.test is None):
        raise ProtocolError("--train and --test belong together: name both files, or neither")
    if (options.train is None) == (options.source is None):
        raise ProtocolError("say what to measure on: --source NAME, or --train FILE --test FILE")
    if options.train is None:
        folder = prepared_folder(options.source, options.path, options.prepared)
        whole = load_prepared(folder)
        return LastDays(whole, options.test_days or window_days(whole), options.min_buyers), folder
    if options.test_days:
        raise ProtocolError("--test-days is for --source: the file of --test says what is predicted")
    files = read_files(options.train, options.test, options.artifacts / "files", options.min_buyers or 1)
    if not files.timed and (options.method in NEEDS_TIMES or options.method.startswith("pipeline")):
        raise ProtocolError(f"{options.train}: {options.method} needs times: give the file a column at")
    if options.method.startswith("pipeline") and options.on == "validation":
        raise ProtocolError(
            "--on validation with files is for baselines: the pipeline learns from the whole file"
        )
    return files, files.folder


def _pipeline(options: argparse.Namespace, found: RetailSplit, folder: Path, seed: int) -> Outcome:
    from models.evaluation.pipeline import run_pipeline  # noqa: PLC0415 - the networks, only where asked

    page = options.method == "pipeline-page"
    where = (options.artifacts, options.release)
    return run_pipeline(found, folder, options.config, seed, *where, page=page)


def _about(
    options: argparse.Namespace, question: LastDays | FixedFiles, found: RetailSplit, seeds: list[int]
) -> dict[str, Any]:
    """What the report says of the run before its figures."""
    about = {
        "protocol": options.protocol,
        "dataset": found.data.name,
        "title": found.data.dataset.title,
        "rows": len(found.data.events.at),
        "method": options.method,
        "on": options.on,
        "seed": seeds[0],
        "seeds": seeds,
        "items": len(found.item_ids),
        "min_buyers": found.min_buyers,
        "users": len(found.users),
    }
    if isinstance(question, FixedFiles):
        files = {"train": str(options.train), "test": str(options.test)}
        about |= {**files, "test_pairs": len(question.user), "unknown_pairs": question.unknown}
    else:
        about["window"] = {"from": day(found.cut), "to": day(found.end - 1), "days": question.days}
    if options.method.startswith("pipeline"):
        about["config"] = options.config
    if notice := found.data.dataset.notice:
        about["notice"] = notice
    return about


def prepared_folder(source: str, path: Path | None, prepared: Path) -> Path:
    """The prepared dataset of a source, made from the raw files if ``path`` names them. Raises DataFault."""
    name = _DATASETS.get(source, source)
    folder = prepared / name
    if (folder / "events.parquet").is_file():
        return folder
    if path is not None and (path / "events.parquet").is_file():
        return path
    from data.prepare import main as prepare  # noqa: PLC0415 - only where something is to be prepared
    from data.sources import SOURCES  # noqa: PLC0415 - pandas and Arrow, only where data are prepared

    if name not in SOURCES:
        there = sorted(one.parent.name for one in prepared.glob("*/events.parquet"))
        told = f"; prepared are {', '.join(there)}" if there else ""
        raise DataFault(f"{folder}: no such prepared dataset: prepare it first (docs/your-data.md){told}")
    arguments = [name, "--out", str(prepared)] + (["--path", str(path)] if path is not None else [])
    if prepare(arguments) != 0:
        raise DataFault(f"{folder}: could not be prepared: say python -m data.prepare {' '.join(arguments)}")
    return folder
