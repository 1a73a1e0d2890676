"""The walk through one request in the README: which files, in which order, with how many lines.

    python -m scripts.walk            print the section
    python -m scripts.walk --write    put it into README.md

That a request really goes this way is tested by following one (`tests/unit/test_walk.py`).
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
BEGIN, END = "<!-- walk: python -m scripts.walk --write -->", "<!-- /walk -->"

WALK = (
    ("webapp/storefront/feeds.py", "the page asks for a list, and makes cards of it"),
    ("engine/chain.py", "the whole request: what each stage is asked, and what is left when it fails"),
    ("engine/recall/channels.py", "candidates from all channels"),
    ("engine/recall/merge.py", "the channels' candidates as one list, by quota"),
    ("engine/rank.py", "from candidates to scores, and to an order"),
    ("engine/features/cross.py", "what the ranker reads of a shopper and an item"),
    ("engine/page.py", "variety, answers to clicks, details, reasons"),
)
"""Each file of one `Recommend`, in the order in which it is entered, and what it does."""


def lines_of(path: str) -> int:
    """How many lines a file of the repository has."""
    return len((ROOT / path).read_text("utf-8").splitlines())


def section() -> str:
    """The README's section, markers included."""
    steps = [
        f"{number}. [`{path}`]({path}) ({lines_of(path)} lines) – {what}{',' if number < len(WALK) else '.'}"
        for number, (path, what) in enumerate(WALK, 1)
    ]
    total = sum(lines_of(path) for path, _ in WALK)
    return "\n".join((BEGIN, *steps, "", f"{len(WALK)} files, {total:,} lines.", END))


def main(arguments: list[str] | None = None) -> int:
    """The command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.walk", description="The README's walk.")
    parser.add_argument("--write", action="store_true", help="put it into README.md")
    options = parser.parse_args(arguments)
    if not options.write:
        sys.stdout.write(section() + "\n")
        return 0
    readme = ROOT / "README.md"
    text = readme.read_text("utf-8")
    written, count = re.subn(
        f"{re.escape(BEGIN)}.*?{re.escape(END)}", lambda _: section(), text, flags=re.DOTALL
    )
    if count != 1:
        sys.stderr.write(f"{readme}: the markers {BEGIN} … {END} are not there once\n")
        return 1
    readme.write_text(written, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
