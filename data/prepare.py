"""`python -m data.prepare SOURCE`: a raw dataset into canonical tables.

Running it again with unchanged input does nothing; interrupting it leaves what was there before.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from tqdm import tqdm

from data.errors import DataError
from data.rejects import Rejects
from data.sources import SOURCES
from data.sources.base import Options, Source
from data.sources.recorded import WithRecordedEvents
from data.writer import PreparedWriter, restore
from engine import ids
from engine.dataset import Dataset

DEFAULT_OUT = Path("data/prepared")


@contextmanager
def bars(label: str, total: int | None, unit: str) -> Iterator[Callable[[int], None]]:
    """Progress bars on standard error, none where that is no terminal."""
    with tqdm(total=total, desc=label, unit=unit, unit_scale=True, disable=None, leave=False) as bar:

        def advance(count: int) -> None:
            bar.update(count)

        yield advance


def prepare(
    source: Source,
    dataset: Dataset,
    out: Path,
    *,
    source_name: str,
    max_reject_rate: float = 0.01,
    allowed: Mapping[str, float] | None = None,
    force: bool = False,
) -> tuple[dict[str, Any], bool]:
    """Prepare `source` as `out/<dataset.name>`. Returns its report and whether anything was done.

    `allowed` has the shares of rows that may be rejected by reason, beside `max_reject_rate` for all others.
    """
    fingerprint = input_fingerprint(source.files(), dataset)
    target = out / dataset.name
    if not force and not getattr(source, "always_read", False):
        if out.exists():
            restore(target)
        report = _report(target)
        if report is not None and report.get("fingerprint") == fingerprint:
            return report, False
    rejects = Rejects(max_reject_rate, allowed)
    with PreparedWriter(out, dataset, rejects) as writer:
        source.write(writer, bars)
        head = {"source": source_name, "fingerprint": fingerprint}
        return writer.commit(head, need_events=source.has_events), True


def input_fingerprint(files: Sequence[Path], dataset: Dataset) -> str:
    """SHA-256 over the raw files, the dataset's description and the code of this package."""
    digest = hashlib.sha256(json.dumps(dataclasses.asdict(dataset), sort_keys=True).encode())
    here = Path(__file__).parent
    folders = (here, here / "sources", here / "readers")
    code = [file for folder in folders for file in sorted(folder.glob("*.py"))]
    for path in [*files, *code, Path(ids.__file__)]:
        digest.update(path.name.encode() + b"\0")
        try:
            with path.open("rb") as file:
                while block := file.read(1 << 20):
                    digest.update(block)
        except OSError as error:
            raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return digest.hexdigest()


def _report(target: Path) -> dict[str, Any] | None:
    """The report of a complete prepared dataset, or nothing."""
    names = ("users.parquet", "items.parquet", "events.parquet", "dataset.toml", "rejects.csv")
    if not all((target / name).is_file() for name in names):
        return None
    try:
        report: dict[str, Any] = json.loads((target / "report.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return report


def _show(report: dict[str, Any], target: Path, seconds: float | None) -> None:
    console = Console()
    title = f"{target}" + (
        f" in {seconds:.1f} s" if seconds is not None else " is up to date (--force prepares again)"
    )
    table = Table("table", "written", "read", "left out", "rejected", "reasons", title=title)
    for name in dict.fromkeys([*report["rows"], *report["tables"]]):
        counts = report["tables"].get(name, {"read": 0, "left_out": {}, "rejected": 0, "reasons": {}})
        told = {**counts["left_out"], **counts["reasons"]}
        reasons = escape(", ".join(f"{count:,} {reason}" for reason, count in told.items()))
        written = report["rows"].get(name)
        figures = (written, counts["read"], sum(counts["left_out"].values()), counts["rejected"])
        table.add_row(name, *("" if figure is None else f"{figure:,}" for figure in figures), reasons)
    console.print(table)
    for name, counts in report["tables"].items():
        for what, count in counts["cleaned"].items():
            console.print(f"cleaned of {name}: {count:,} {escape(what)}")
    for note, count in report["notes"].items():
        console.print(f"{note.replace('_', ' ')}: {count:,}{_meaning(note, count, report)}")
    if any(counts["rejected"] for counts in report["tables"].values()):
        console.print(f"every rejected row: {target / 'rejects.csv'}")


def _meaning(note: str, count: int, report: dict[str, Any]) -> str:
    if note != "duplicate_events":
        return ""
    share = count / report["rows"]["events"]
    return (
        f" ({share:.1%}), equal to another one in every column and kept: check whether lines are there twice"
    )


def _rate(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share between 0 and 1, not {text!r}")
    return value


def _allowance(text: str) -> tuple[str, float]:
    reason, equals, share = text.rpartition("=")
    if not equals or not reason.strip():
        raise argparse.ArgumentTypeError(f"must be REASON=SHARE, such as 'no user_id=0.25', not {text!r}")
    return reason.strip(), _rate(share)


def _name(text: str) -> str:
    if not re.fullmatch("[a-z0-9_-]+", text):
        raise argparse.ArgumentTypeError(f"use only a-z, 0-9, _ and -, not {text!r}")
    return text


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m data.prepare", description="Prepare a raw dataset (data/README.md)."
    )
    parser.add_argument("source", choices=sorted(SOURCES), help="which adapter reads the raw files")
    parser.add_argument("--path", type=Path, help="folder (or file) with the raw files")
    parser.add_argument("--mapping", type=Path, help="the mapping file, for the source 'mapping'")
    parser.add_argument(
        "--events", type=Path, help="events of the running shop to join: what scripts.export_events wrote"
    )
    parser.add_argument(
        "--out", type=Path, default=DEFAULT_OUT, help="where prepared datasets live (%(default)s)"
    )
    parser.add_argument("--name", type=_name, help="name of the prepared dataset instead of the source's own")
    parser.add_argument(
        "--max-reject-rate", type=_rate, default=0.01, help="share of bad rows to accept (%(default)s)"
    )
    parser.add_argument(
        "--allow",
        type=_allowance,
        action="append",
        default=[],
        metavar="REASON=SHARE",
        help="share of rows to accept that are rejected for one reason, as the report names it; repeatable",
    )
    parser.add_argument("--force", action="store_true", help="prepare even if nothing changed")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 0 done, 2 bad input or usage, 130 interrupted."""
    args = _arguments(argv)
    started = time.monotonic()
    try:
        source: Source = SOURCES[args.source](Options(args.path, args.mapping))
        if args.events is not None:
            source = WithRecordedEvents(source, args.events)
        dataset = source.describe()
        if args.name:
            dataset = dataclasses.replace(dataset, name=args.name)
        report, done = prepare(
            source,
            dataset,
            args.out,
            source_name=args.source,
            max_reject_rate=args.max_reject_rate,
            allowed=dict(args.allow),
            force=args.force,
        )
    except DataError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or args.source}: {error.strerror or error}\n")
        return 2
    except KeyboardInterrupt as stop:
        sys.stderr.write(f"interrupted; nothing was replaced. {stop}".rstrip() + "\n")
        return 130
    _show(report, args.out / dataset.name, time.monotonic() - started if done else None)
    return 0


if __name__ == "__main__":
    sys.exit(main())
