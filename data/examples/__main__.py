"""`python -m data.examples invoices|clicks|ratings FOLDER`: the files of a made-up shop and its mapping.

The same bytes every time: one seed, no clock, no library whose random numbers change between versions.
"""

from __future__ import annotations

import argparse
import csv
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data.examples import clicks, invoices, ratings
from data.examples.shoppers import Table

EXAMPLES: Mapping[str, tuple[Callable[[], Mapping[str, Table]], str]] = {
    "invoices": (invoices.tables, invoices.MAPPING),
    "clicks": (clicks.tables, clicks.MAPPING),
    "ratings": (ratings.tables, ratings.MAPPING),
}
MAPPING_NAME = "shop.toml"


def write_example(name: str, folder: Path) -> list[Path]:
    """Write the files of one example into `folder`, the mapping last; returns their paths."""
    tables, mapping = EXAMPLES[name]
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for file, rows in tables().items():
        with (folder / file).open("w", encoding="utf-8", newline="") as out:
            csv.writer(out).writerows(rows)
        written.append(folder / file)
    (folder / MAPPING_NAME).write_text(mapping, encoding="utf-8")
    return [*written, folder / MAPPING_NAME]


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status: 0 done, 2 wrong usage or a folder that cannot be written."""
    parser = argparse.ArgumentParser(prog="python -m data.examples", description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(EXAMPLES), help="which shop")
    parser.add_argument("folder", type=Path, help="where its files are written")
    args = parser.parse_args(argv)
    try:
        paths = write_example(args.name, args.folder)
    except OSError as error:
        sys.stderr.write(f"error: {error.filename or args.folder}: cannot be written: {error.strerror}\n")
        return 2
    sys.stdout.write("".join(f"{path}\n" for path in paths))
    return 0


if __name__ == "__main__":
    sys.exit(main())
