"""What an adapter is, and what several adapters share."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from data.columns import NULLS, Columns
from data.errors import DataError
from data.rejects import Rejects
from data.rows import TextFormat, read_rows
from data.writer import PreparedWriter
from engine.dataset import Dataset, Feature

Progress = Callable[[str, int | None, str], AbstractContextManager[Callable[[int], None]]]
"""``progress(label, total, unit)`` shows a bar while open and yields the function that advances it."""


@dataclass(frozen=True)
class Options:
    """What the command line can tell an adapter."""

    path: Path | None = None
    mapping: Path | None = None


class Source(Protocol):
    """Turns one raw dataset into canonical tables. Constructing one reads nothing."""

    has_events: bool
    """False for a source of users and items only."""

    def files(self) -> Sequence[Path]:
        """The raw files; `DataError` for a missing one. Their content is the fingerprint of the input."""
        ...

    def describe(self) -> Dataset:
        """The content of dataset.toml."""
        ...

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Stream the raw files into `out`; does not commit."""
        ...


def folder(options: Options, source: str) -> Path:
    """The folder given by --path; `DataError` without one."""
    if options.path is None:
        raise DataError(
            f"{source}: say where the raw files are with --path FOLDER (data/README.md lists them)"
        )
    if not options.path.exists():
        raise DataError(f"{options.path}: no such file or folder")
    return options.path


def find(root: Path, *names: str) -> Path:
    """The first of the names that exists under `root`, plain, .gz or .zip; `DataError` when there is none."""
    for name in names:
        for candidate in (root / name, root / f"{name}.gz", root / f"{name}.zip"):
            if candidate.is_file():
                return candidate
    raise DataError(f"{root / names[0]}: no such file" + "".join(f", nor {name}" for name in names[1:]))


def stream(
    path: Path,
    table: str,
    required: Sequence[str],
    rejects: Rejects,
    progress: Progress,
    form: TextFormat = TextFormat(),  # noqa: B008 - frozen, safe to share
    nulls: tuple[str, ...] = NULLS,
) -> Iterator[Columns]:
    """The batches of a text file, with a progress bar over its bytes."""
    size = path.stat().st_size if path.exists() else None
    with progress(f"{table}: {path.name}", size, "B") as advance:
        for rows in read_rows(path, table, required, rejects, form, advance):
            yield Columns(rows, rejects, nulls, form.decimal)


def categorical(
    name: str, en: str, zh: str, *, buckets: int = 64, values: tuple[str, ...] = (), kind: str = "categorical"
) -> Feature:
    """A hashed feature with its names in both languages of the shop."""
    return Feature(name, kind, {"en": en, "zh": zh}, values, buckets)


def number(name: str, en: str, zh: str, boundaries: tuple[float, ...]) -> Feature:
    """A bucketed number with its names in both languages of the shop."""
    return Feature(name, "number", {"en": en, "zh": zh}, boundaries=boundaries)
