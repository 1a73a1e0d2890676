"""Rows that could not be used: counted, listed with file and line, and too many of them stop the load."""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TextIO

from data.errors import DataError

REPORTED = 100
"""How many rejects report.json lists; rejects.csv has all."""

_EARLY_ROWS = 20_000
_EARLY_SHARE = 0.5


@dataclass(frozen=True)
class Reject:
    """One row that was not used."""

    table: str
    file: str
    line: int
    reason: str
    raw: str


class Rejects:
    """Collects rejects and row counts of all tables; memory does not grow with their number."""

    def __init__(self, max_rate: float = 0.01) -> None:
        self.max_rate = max_rate
        self.first: list[Reject] = []
        self._read: Counter[str] = Counter()
        self._reasons: dict[str, Counter[str]] = {}
        self._first_of: dict[str, Reject] = {}
        self._file: TextIO | None = None
        self._path: Path | None = None

    def open(self, path: Path) -> None:
        """Start writing rejects.csv."""
        self._path = path
        # A row in a wrong encoding carries undecodable bytes: they are shown escaped.
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        csv.writer(self._file).writerow(["file", "line", "reason", "raw"])

    def close(self) -> None:
        """Finish rejects.csv."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def read(self, table: str, rows: int) -> None:
        """Count rows read for a table, good or bad; a table that is mostly bad stops here, early."""
        self._read[table] += rows
        seen, bad = self._read[table], self.rejected(table)
        if seen >= _EARLY_ROWS and bad > max(_EARLY_SHARE, self.max_rate) * seen:
            raise self._too_many(table)

    def add(self, reject: Reject) -> None:
        """Record one reject; the row must be counted by `read` too."""
        self._reasons.setdefault(reject.table, Counter())[reject.reason] += 1
        self._first_of.setdefault(reject.table, reject)
        if len(self.first) < REPORTED:
            self.first.append(reject)
        if self._file is not None:
            csv.writer(self._file).writerow([reject.file, reject.line, reject.reason, reject.raw])

    def rejected(self, table: str) -> int:
        """How many rows of a table were rejected."""
        return sum(self._reasons.get(table, Counter()).values())

    def check(self) -> None:
        """Raise a `DataError` for the first table that lost more than the allowed share of its rows."""
        for table, rows in self._read.items():
            if self.rejected(table) > self.max_rate * rows:
                raise self._too_many(table)

    def counts(self) -> dict[str, dict[str, Any]]:
        """For report.json: read, kept, rejected and reasons by table."""
        return {
            table: {
                "read": rows,
                "kept": rows - self.rejected(table),
                "rejected": self.rejected(table),
                "reasons": dict(self._reasons.get(table, Counter()).most_common()),
            }
            for table, rows in self._read.items()
        }

    def listed(self) -> Sequence[dict[str, Any]]:
        """For report.json: the first rejects."""
        return [vars(reject) for reject in self.first]

    def _too_many(self, table: str) -> DataError:
        bad, rows, first = self.rejected(table), self._read[table], self._first_of[table]
        reasons = ", ".join(f"{count} {reason}" for reason, count in self._reasons[table].most_common(3))
        return DataError(
            f"{first.file}:{first.line}: {bad} of {rows} rows of {table} rejected ({bad / rows:.1%}, allowed "
            f"{self.max_rate:.1%}), this one first: {reasons}. Correct the file or raise --max-reject-rate."
        )
