"""Reading JSON lines: one object a line, nested values by dotted names such as `user.id`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data.errors import DataError
from data.readers.typed import batches, text_of
from data.rejects import Reject, Rejects
from data.rows import Advance, Rows, open_text

_LINE_LIMIT = 1 << 24  # characters; a longer line is no row


def read_json_lines(
    path: Path, table: str, required: Sequence[str], rejects: Rejects, decimal: str, advance: Advance
) -> Iterator[Rows]:
    """Stream the required columns; a line that is no object is rejected, a value left out is unknown.

    Raises `DataError`: a damaged file, a column that no line has.
    """
    columns = tuple(dict.fromkeys(required))
    seen: set[str] = set()
    with open_text(path, "utf-8", advance) as text:
        numbered = _objects(iter(lambda: text.readline(_LINE_LIMIT), ""), path, table, rejects)
        rows = ((line, _row(record, columns, seen, decimal)) for line, record in numbered)
        lines = 0
        for batch in batches(table, str(path), columns, rows):
            lines += len(batch.lines)
            yield batch
    for name in columns:
        if lines and name not in seen:
            raise DataError(f"{path}: {name!r} is in no line; nested values are named with dots, as a.b")


def value_at(record: Any, name: str) -> Any:
    """The value of a dotted name; None where there is none. A key that has dots itself comes first."""
    if isinstance(record, dict) and name in record:
        return record[name]
    head, dot, rest = name.partition(".")
    return value_at(record[head], rest) if dot and isinstance(record, dict) and head in record else None


def _row(record: Any, columns: Sequence[str], seen: set[str], decimal: str) -> list[str]:
    values = [value_at(record, name) for name in columns]
    if len(seen) < len(columns):
        seen.update(name for name, value in zip(columns, values, strict=True) if value is not None)
    return [text_of(value, decimal) for value in values]


def _objects(lines: Iterator[str], path: Path, table: str, rejects: Rejects) -> Iterator[tuple[int, Any]]:
    for number, line in enumerate(lines, 1):
        blank = not line.strip()
        rejects.count_lines(table, 1, ignored=int(blank))
        if blank:
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            record = None
        if isinstance(record, dict):
            yield number, record
            continue
        rejects.read(table, 1)
        rejects.add(Reject(table, str(path), number, "no JSON object", line[:1000].rstrip("\n")))
