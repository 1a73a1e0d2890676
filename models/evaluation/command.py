"""Run a published protocol with a method, print its measures, write its lists.

    python -m models.evaluate retail --source completejourney --method pipeline --out var/quality/pipeline

``--on validation`` measures on the data before the test instead: that is where numbers are tuned. The test is
for the final configuration. A protocol is a module with ``arguments(parser)`` and ``run(options, console)``
and a line of the table below; only the one asked for is imported.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from rich.console import Console

from engine.release import ReleaseError
from models.evaluation.errors import ProtocolError
from models.training.dataset import DataFault


@dataclass(frozen=True)
class Entry:
    """A sub-command: its module, one line of help, and whether the common options are its own too."""

    module: str
    summary: str
    common: bool = True  # --out, --seed and --on


ENTRIES = {
    "retail": Entry(
        "models.evaluation.retail_command",
        "what each user buys in the last 28 days: pipeline, pipeline-page and the baselines",
    ),
    "ml1m-rank": Entry(
        "models.evaluation.ml1m_rank", "MovieLens-1M, rating over or under 3, random 90/10: AUC of rankers"
    ),
    "ml1m-loo": Entry(
        "models.evaluation.leave_one_out", "MovieLens-1M, each user's last rating: two towers and baselines"
    ),
    "sasrec-loo": Entry(
        "models.evaluation.leave_one_out",
        "each user's last item of MovieLens-1M as SASRec prepared it, of any file of sequences, or of a shop",
    ),
    "sparse-set": Entry(
        "models.evaluation.generated",
        "write a generated file of sparse sequences for sasrec-loo",
        common=False,
    ),
    "cold": Entry("models.evaluation.cold_users", "users held out, by profile alone, against popularity"),
    "new-items": Entry(
        "models.evaluation.new_items", "items nobody has bought yet, to those who then buy them"
    ),
    "similar": Entry(
        "models.evaluation.similar", "items beside rarely bought ones: are they of the same, hidden category?"
    ),
    "compare": Entry("models.evaluation.compare", "two runs' output folders, user by user", common=False),
    "plots": Entry("models.evaluation.plots", "pictures of retail's reports and of the ladder", common=False),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """The command line; returns the exit status."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    console = Console(stderr=True)
    try:
        options = _parse(given)
        status: int = import_module(ENTRIES[options.protocol].module).run(options, console)
    except (ProtocolError, DataFault, ReleaseError, OSError) as error:
        message = str(error)
    except ImportError as error:
        message = f"{error}: say make env-bench, which installs what the baselines and plots need"
    except KeyboardInterrupt:
        message = "interrupted: the same command begins again, trainings at their last checkpoint"
    else:
        return status
    console.print(f"error: {message}", style="red", markup=False, highlight=False, soft_wrap=True)
    return 1


def _parse(given: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m models.evaluate",
        description="Measure a method by a published protocol: full ranking, with intervals.",
        epilog="The methods and options of a protocol: python -m models.evaluate PROTOCOL --help",
    )
    commands = parser.add_subparsers(dest="protocol", required=True, metavar="PROTOCOL")
    asked = next((word for word in given if not word.startswith("-")), "")
    for name, entry in ENTRIES.items():
        command = commands.add_parser(name, help=entry.summary, description=entry.summary)
        if name == asked:
            import_module(entry.module).arguments(command)
            if entry.common:
                _common(command)
    return parser.parse_args(given)


def _common(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--on", choices=["test", "validation"], default="test")
    parser.add_argument("--out", type=Path, help="a folder for the lists (Parquet) and report.json")
    parser.add_argument("--seed", type=int, default=7)


if __name__ == "__main__":
    sys.exit(main())
