"""Rows that could not be used: counted, listed with file and line, and too many of them stop the load.

Every physical line of a text file is counted once: as the (first) line of a row that was written, left out or
rejected, as a further line of such a row, or as ignored (a header, a blank line).
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

from data.errors import DataError

REPORTED = 100
"""How many rejects report.json lists; rejects.csv has all."""

_EARLY_ROWS = 20_000
_EARLY_SHARE = 0.5
_LINE_BITS = 40
_SHOWN = 100  # characters of a rejected row in a message


@dataclass(frozen=True)
class Reject:
    """One row that was not used."""

    table: str
    file: str
    line: int
    reason: str
    raw: str


@dataclass
class _Table:
    """What was counted of one table."""

    lines: int = 0
    ignored: int = 0
    continued: int = 0
    read: int = 0
    reasons: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)
    cleaned: Counter[str] = field(default_factory=Counter)
    first: dict[str, Reject] = field(default_factory=dict)
    """The first reject of each reason."""

    @property
    def rejected(self) -> int:
        return self.reasons.total()


class Rejects:
    """Collects rejects and row counts of all tables; memory does not grow with their number.

    `max_rate` is the share of a table's rows that may be rejected, all reasons together; a reason in
    `allowed` has a share of its own and does not count towards `max_rate`.
    """

    def __init__(self, max_rate: float = 0.01, allowed: Mapping[str, float] | None = None) -> None:
        self.max_rate = max_rate
        self.first: list[Reject] = []
        self._everywhere = dict(allowed or {})
        self._allowed: dict[tuple[str, str], float] = {}
        self._tables: dict[str, _Table] = {}
        self._files: list[str] = []
        self._file: TextIO | None = None

    def allow(self, table: str, reason: str, share: float) -> None:
        """Let `share` of a table's rows be rejected for `reason`; the command line's word goes first."""
        self._allowed[table, reason] = share

    def open(self, path: Path) -> None:
        """Start writing rejects.csv."""
        # A row in a wrong encoding carries undecodable bytes: they are shown escaped.
        self._file = path.open("w", encoding="utf-8", errors="backslashreplace", newline="")
        csv.writer(self._file).writerow(["file", "line", "reason", "raw"])

    def close(self) -> None:
        """Finish rejects.csv."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def count_lines(self, table: str, lines: int, *, ignored: int = 0, continued: int = 0) -> None:
        """Count physical lines, and how many of them hold no row or go on with the row of an earlier line."""
        counts = self._of(table)
        counts.lines += lines
        counts.ignored += ignored
        counts.continued += continued

    def read(self, table: str, rows: int) -> None:
        """Count rows read for a table, good or bad; a table that is mostly bad stops here, early."""
        counts = self._of(table)
        counts.read += rows
        if counts.read >= _EARLY_ROWS:
            self._check(table, at_least=_EARLY_SHARE)

    def add(self, reject: Reject) -> None:
        """Record one reject; the row must be counted by `read` too."""
        counts = self._of(reject.table)
        counts.reasons[reject.reason] += 1
        counts.first.setdefault(reject.reason, reject)
        if len(self.first) < REPORTED:
            self.first.append(reject)
        if self._file is not None:
            csv.writer(self._file).writerow([reject.file, reject.line, reject.reason, reject.raw])

    def leave_out(self, table: str, reason: str, rows: int) -> None:
        """Count good rows that are left out on purpose; `read` counts them too."""
        if rows:
            self._of(table).left_out[reason] += rows

    def clean(self, table: str, what: str, values: int) -> None:
        """Count values that were changed or dropped while their row was kept."""
        if values:
            self._of(table).cleaned[what] += values

    def origin(self, file: str) -> int:
        """A number that tells the file of a row; the row's line number may be added to it."""
        if file not in self._files:
            self._files.append(file)
        return self._files.index(file) << _LINE_BITS

    def place(self, origin: int) -> tuple[str, int]:
        """File and line of a number made by `origin`."""
        return self._files[origin >> _LINE_BITS], origin & ((1 << _LINE_BITS) - 1)

    def rejected(self, table: str) -> int:
        """How many rows of a table were rejected."""
        return self._of(table).rejected

    @property
    def total(self) -> int:
        """How many rows of all tables were rejected."""
        return sum(counts.rejected for counts in self._tables.values())

    def check(self) -> None:
        """Raise a `DataError` for the first table that lost more than the allowed share of its rows."""
        for table in self._tables:
            self._check(table)

    def counts(self) -> dict[str, dict[str, Any]]:
        """For report.json: lines, read, kept, left out, rejected and reasons by table."""
        return {
            table: {
                "lines": counts.lines,
                "ignored": counts.ignored,
                "continued": counts.continued,
                "read": counts.read,
                "kept": counts.read - counts.rejected - counts.left_out.total(),
                "left_out": dict(counts.left_out.most_common()),
                "rejected": counts.rejected,
                "reasons": dict(counts.reasons.most_common()),
                "cleaned": dict(counts.cleaned.most_common()),
            }
            for table, counts in self._tables.items()
            if counts.read or counts.lines
        }

    def listed(self) -> Sequence[dict[str, Any]]:
        """For report.json: the first rejects."""
        return [vars(reject) for reject in self.first]

    def _of(self, table: str) -> _Table:
        return self._tables.setdefault(table, _Table())

    def _share(self, table: str, reason: str) -> float | None:
        return self._everywhere.get(reason, self._allowed.get((table, reason)))

    def _check(self, table: str, at_least: float = 0.0) -> None:
        counts, others = self._of(table), Counter[str]()
        for reason, bad in counts.reasons.items():
            share = self._share(table, reason)
            if share is None:
                others[reason] = bad
            elif bad > max(at_least, share) * counts.read:
                raise self._too_many(table, Counter({reason: bad}), share)
        if others.total() > max(at_least, self.max_rate) * counts.read:
            raise self._too_many(table, others, None)

    def _too_many(self, table: str, reasons: Counter[str], share: float | None) -> DataError:
        counts = self._of(table)
        first = next(reject for reason, reject in counts.first.items() if reason in reasons)
        bad, rows = reasons.total(), counts.read
        listed = ", ".join(f"{count} {reason}" for reason, count in reasons.most_common(3))
        allowed = f"allowed {self.max_rate:.1%}"
        remedy = f"raise --max-reject-rate, or allow one reason alone with --allow '{first.reason}=SHARE'"
        if share is not None:
            allowed = f"allowed {share:.1%} for this reason"
            remedy = f"raise what is allowed for '{first.reason}'"
        return DataError(
            f"{first.file}:{first.line}: {bad} of {rows} rows of {table} rejected "
            f"({bad / rows:.1%}, {allowed}): {listed}. "
            f"The first: {first.reason} in {first.raw[:_SHOWN]!a}. Correct the file, or {remedy}."
        )
