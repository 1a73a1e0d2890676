"""Train on a prepared dataset and publish a release.

    python -m models.train --data data/prepared/completejourney --config quick

The stages are in ``models/training/run.py``.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from engine.release import ARTIFACTS, ReleaseError
from models.training.config import CONFIGS
from models.training.dataset import DataFault, load_prepared
from models.training.export import ExportError
from models.training.run import train
from models.training.windows import parse_date


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status: 0 published, 1 not, 3 no better than popularity."""
    parser = argparse.ArgumentParser(
        prog="python -m models.train", description="Train and publish a release."
    )
    parser.add_argument("--data", type=Path, required=True, help="a folder data/prepared/<dataset>")
    parser.add_argument("--config", choices=sorted(CONFIGS), default="quick")
    parser.add_argument("--out", type=Path, default=ARTIFACTS, help="where releases are kept")
    parser.add_argument("--seed", type=int, default=7)
    parser.add_argument(
        "--until", type=parse_date, help="leave out events from this date on (to test on them)"
    )
    parser.add_argument(
        "--resume",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="go on where an interrupted run was",
    )
    options = parser.parse_args(arguments)
    console = Console(stderr=True)
    try:
        data = load_prepared(options.data, options.until)
        config = replace(CONFIGS[options.config], seed=options.seed)
        _, passed = train(data, config, options.out, resume=options.resume, console=console)
    except (DataFault, ReleaseError, ExportError, OSError) as error:
        console.print(f"error: {error}", style="red", markup=False, highlight=False, soft_wrap=True)
        return 1
    except KeyboardInterrupt:
        console.print("interrupted: the same command goes on from the last checkpoint")
        return 130
    return 0 if passed else 3


if __name__ == "__main__":
    sys.exit(main())
