"""Where one table of a shop comes from and how it is read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.columns import NULLS
from data.errors import DataError
from data.rows import TextFormat

FORMATS = ("csv", "xlsx", "jsonl", "parquet")
PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip")
_BY_SUFFIX = {
    ".xlsx": "xlsx",
    ".xlsm": "xlsx",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


@dataclass(frozen=True)
class TableFile:
    """Files, or a query, that together are one table."""

    names: tuple[str, ...] = ()
    """Names or patterns below the folder of the files; empty for a query."""
    form: TextFormat = TextFormat()  # noqa: RUF009 - frozen
    nulls: tuple[str, ...] = NULLS
    format: str = ""
    """One of `FORMATS`; empty: by the name."""
    member: str = ""
    """Pattern of the files inside a .zip; empty: its only one."""
    sheet: str = ""
    """Of an Excel file; empty: the first."""
    allow: Mapping[str, float] = field(default_factory=dict)
    """Shares of rows that may be rejected, by reason."""
    sql: str = ""
    url: str = ""
    url_env: str = ""
    """The environment variable that has the database's URL, instead of `url`."""

    @property
    def is_query(self) -> bool:
        """Rows come from a database."""
        return bool(self.sql)

    def paths(self, folder: Path) -> list[Path]:
        """The files, each once, in the order named and by name within a pattern.

        `DataError`: a name that is no file, a pattern that fits none.
        """
        found: list[Path] = []
        for name in self.names:
            place = folder / name
            if place.is_file():
                found.append(place)
                continue
            if not any(sign in name for sign in "*?["):
                raise DataError(f"{place}: no such file")
            fitting = sorted(path for path in folder.glob(name) if path.is_file())
            if not fitting:
                raise DataError(f"{place}: no file fits this pattern")
            found += fitting
        return list(dict.fromkeys(found))

    def format_of(self, path: Path) -> str:
        """One of `FORMATS`, by the name without what it is packed with."""
        return self.format or format_by_name(path)


def format_by_name(path: Path) -> str:
    """One of `FORMATS`; what has no other suffix is text with delimiters."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    while suffixes and suffixes[-1] in PACKED:
        suffixes.pop()
    return _BY_SUFFIX.get(suffixes[-1], "csv") if suffixes else "csv"
