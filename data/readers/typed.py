"""From typed values (cells, JSON, database columns) to the `Rows` of texts that text files give."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from data.parquet_rows import LIST_SEPARATOR
from data.rows import BATCH_ROWS, Rows


def text_of(value: Any, decimal: str = ".") -> str:
    """The text of a value: times as ISO, whole numbers without decimals, lists joined, unknown as empty.

    >>> text_of(536365.0), text_of(2.5, ","), text_of(None), text_of(["a", 1]), text_of(True)
    ('536365', '2,5', '', 'a|1', 'true')
    """
    for kinds, text in _TEXTS:
        if isinstance(value, kinds):
            return text(value, decimal)
    return str(value)


def batches(
    table: str, source: str, columns: Sequence[str], numbered: Iterable[tuple[int, Sequence[str]]]
) -> Iterator[Rows]:
    """`Rows` of at most `BATCH_ROWS` from (line, texts) pairs."""
    lines: list[int] = []
    fields: list[Sequence[str]] = []
    for line, row in numbered:
        lines.append(line)
        fields.append(row)
        if len(fields) >= BATCH_ROWS:
            yield Rows(table, source, ",", columns, lines, fields)
            lines, fields = [], []
    if fields:
        yield Rows(table, source, ",", columns, lines, fields)


def missing_column(source: str, name: str, found: Iterable[str]) -> str:
    """The message for a column that is not there, or there twice."""
    return f"{source}: column {name!r} is missing or there twice; found {', '.join(found)!a}"[:400]


def _number(value: float | Decimal, decimal: str) -> str:
    if not math.isfinite(value):
        return ""
    if value == int(value) and abs(float(value)) < 1e18:
        return str(int(value))
    return (format(value, "f") if isinstance(value, Decimal) else repr(value)).replace(".", decimal)


_TEXTS: tuple[tuple[Any, Callable[[Any, str], str]], ...] = (
    (str, lambda value, decimal: value),
    (type(None), lambda value, decimal: ""),
    (bool, lambda value, decimal: "true" if value else "false"),
    ((float, Decimal), _number),
    ((datetime, date, time), lambda value, decimal: value.isoformat()),
    ((list, tuple), lambda value, decimal: LIST_SEPARATOR.join(text_of(part, decimal) for part in value)),
    (
        (bytes, bytearray, memoryview),
        lambda value, decimal: bytes(value).decode("utf-8", "surrogateescape"),
    ),
)
"""The first kind that fits; what fits none is written by `str`."""
