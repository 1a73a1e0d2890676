"""The command: `python -m data.mapping init FILE…` and `python -m data.mapping check MAPPING`."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console

from data.errors import DataError
from data.mapping.check import check
from data.mapping.draft import draft
from data.mapping.guess import UNKNOWN, guess
from data.mapping.sample import look

MAPPING_NAME = "shop.toml"


def init(files: Sequence[Path], out: Path | None, force: bool) -> str:
    """Look at the files and write a first mapping; returns what to tell the user. Raises `DataError`."""
    target = out or files[0].parent / MAPPING_NAME
    if target.exists() and not force:
        raise DataError(f"{target}: is there already; --force overwrites it, --out FILE writes another")
    text = draft(guess([look(file) for file in files]), target.parent)
    try:
        target.write_text(text, encoding="utf-8")
    except OSError as error:
        raise DataError(f"{target}: cannot be written: {error.strerror}") from error
    missing = f'\nName the columns that are "{UNKNOWN}" first.' if f'= "{UNKNOWN}"' in text else ""
    return f"{text}\nwritten: {target}. Correct it, then: python -m data.mapping check {target}{missing}\n"


def _share(text: str) -> float:
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError(f"must be a share between 0 and 1, not {text!r}")
    return value


def _arguments(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m data.mapping", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    first = commands.add_parser("init", help="look at files and write a first mapping file")
    first.add_argument(
        "files", nargs="+", type=Path, metavar="FILE", help="events, and products and shoppers"
    )
    first.add_argument("--out", type=Path, help=f"the mapping file ({MAPPING_NAME} beside the first file)")
    first.add_argument("--force", action="store_true", help="overwrite the mapping file")
    second = commands.add_parser("check", help="show what a mapping makes of its files; writes nothing")
    second.add_argument("mapping", type=Path, metavar="MAPPING")
    second.add_argument("--path", type=Path, help="folder of the files, if not beside the mapping file")
    second.add_argument(
        "--max-reject-rate", type=_share, default=0.01, help="as for data.prepare (%(default)s)"
    )
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 0 good, 2 bad input or a mapping that prepare would refuse."""
    args = _arguments(argv)
    try:
        if args.command == "init":
            sys.stdout.write(init(args.files, args.out, args.force))
            return 0
        return 0 if check(args.mapping, args.path, args.max_reject_rate, Console()) else 2
    except DataError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted\n")
        return 130


if __name__ == "__main__":
    sys.exit(main())
