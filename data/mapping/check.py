"""What a mapping makes of its files: prepared into a folder that is thrown away, and shown."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from rich.console import Console
from rich.table import Table

from data.errors import DataError
from data.prepare import bars
from data.rejects import Rejects
from data.sources.base import Options
from data.sources.mapping import Mapped
from data.writer import PreparedWriter

_SHOWN = 5
_REJECTS_SHOWN = 10


def check(mapping: Path, path: Path | None, max_reject_rate: float, console: Console) -> bool:
    """Show the first rows, the counts and why rows are left out or rejected.

    Returns whether `data.prepare` would take it; `DataError` where it would stop at once.
    """
    source = Mapped(Options(path, mapping))
    dataset = source.describe()
    source.files()
    rejects = Rejects(max_rate=1.0)
    with tempfile.TemporaryDirectory(prefix="ecrs-check-") as work:
        nothing_usable = None
        try:
            with PreparedWriter(Path(work), dataset, rejects) as writer:
                source.write(writer, bars)
                report = writer.commit({})
        except DataError as error:
            if not rejects.first:
                raise
            nothing_usable, report = error, {"rows": {}, "tables": rejects.counts(), "notes": {}}
        else:
            for name in ("events", "users", "items"):
                _print_first_rows(Path(work) / dataset.name / f"{name}.parquet", name, console)
            console.print(_summary(Path(work) / dataset.name / "events.parquet"))
    _print_counts(report, rejects, console)
    rejects.max_rate = max_reject_rate
    try:
        rejects.check()
        if nothing_usable is not None:
            raise nothing_usable
    except DataError as error:
        console.print(f"prepare would stop: {error}", style="bold", soft_wrap=True, markup=False)
        return False
    console.print("prepare would accept this.", style="bold")
    return True


def _print_first_rows(path: Path, name: str, console: Console) -> None:
    with pq.ParquetFile(path) as file:
        first = next(file.iter_batches(_SHOWN)).to_pylist()
        total = file.metadata.num_rows
    columns = [column for column in first[0] if any(row[column] not in (None, []) for row in first)]
    table = Table(*columns)
    for row in first:
        table.add_row(*(_cell(row[column]) for column in columns))
    console.print(f"{name}: the first {len(first)} of {total:,}")
    console.print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, list):
        return " > ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) else str(value)[:60]


def _summary(path: Path) -> str:
    kinds: Counter[str] = Counter()
    first = last = None
    with pq.ParquetFile(path) as file:
        for batch in file.iter_batches(columns=["type", "at"]):
            kinds.update(batch.column("type").to_pylist())
            first = first or batch.column("at")[0].as_py()
            last = batch.column("at")[-1].as_py()
    told = ", ".join(f"{count:,} {kind}" for kind, count in kinds.most_common())
    return f"{told}; from {first:%Y-%m-%d} to {last:%Y-%m-%d}"


def _print_counts(report: dict[str, Any], rejects: Rejects, console: Console) -> None:
    table = Table("table", "written", "read", "left out", "rejected", "why", title="what becomes of the rows")
    for name, counts in report["tables"].items():
        why = {**counts["left_out"], **counts["reasons"]}
        written = report["rows"].get(name, 0)
        figures = (written, counts["read"], sum(counts["left_out"].values()), counts["rejected"])
        reasons = ", ".join(f"{count:,} {reason}" for reason, count in why.items())
        table.add_row(name, *(f"{figure:,}" for figure in figures), reasons)
    console.print(table)
    for note, count in report["notes"].items():
        console.print(f"{note.replace('_', ' ')}: {count:,}")
    for reject in rejects.first[:_REJECTS_SHOWN]:
        place = f"{reject.file}:{reject.line}: {reject.reason}: "
        console.print(place + ascii(reject.raw)[:120], soft_wrap=True, markup=False)
