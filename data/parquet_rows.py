"""Reading a Parquet table as the same `Rows` of texts that text files give; the line is the row's number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import DataError
from data.rejects import Rejects
from data.rows import BATCH_ROWS, Advance, Rows

LIST_SEPARATOR = "|"
"""A list column is read as its values joined by this."""


def read_parquet_rows(
    path: Path, table: str, required: Sequence[str], rejects: Rejects, advance: Advance
) -> Iterator[Rows]:
    """Stream the required columns; `advance` is told rows.

    Raises `DataError` for a damaged file, one without rows, and a column that is missing or has no texts.
    """
    columns = tuple(dict.fromkeys(required))
    for batch, first in parquet_batches(path, columns, BATCH_ROWS):
        texts = [_column(path, name, batch.column(name)) for name in columns]
        lines = range(first, first + batch.num_rows)
        rejects.count_lines(table, batch.num_rows)
        yield Rows(table, str(path), ",", columns, lines, list(zip(*texts, strict=True)))
        advance(batch.num_rows)


def parquet_batches(path: Path, columns: Sequence[str], rows: int) -> Iterator[tuple[Any, int]]:
    """Record batches with the number (from 1) of their first row."""
    line = 1
    try:
        with pq.ParquetFile(path) as file:
            names = file.schema_arrow.names
            for name in columns:
                if name not in names:
                    raise DataError(f"{path}: column {name!r} is missing; found {', '.join(names)!a}")
                if names.count(name) > 1:
                    raise DataError(f"{path}: column {name!r} is there twice; rename one of them")
            if not file.metadata.num_rows:
                raise DataError(f"{path}: no rows in the file; export it again, or leave it out")
            for batch in file.iter_batches(rows, columns=list(columns)):
                yield batch, line
                line += batch.num_rows
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: no readable Parquet file ({' '.join(str(error).split())})") from error


def parquet_rows(path: Path) -> int | None:
    """How many rows the file says it has; None when it cannot be read (reading it then tells why)."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError):
        return None


def _column(path: Path, name: str, array: Any) -> list[str]:
    try:
        return _texts(array)
    except (pa.ArrowException, UnicodeError) as error:
        raise DataError(
            f"{path}: column {name!r} of type {array.type} cannot be read as text ({_short(error)}); "
            "write it as text, number, time or a list of texts"
        ) from error


def _short(error: Exception) -> str:
    return " ".join(str(error).split())[:100]


def _texts(array: Any) -> list[str]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        inner = array.cast(pa.list_(pa.string()))
        if inner.flatten().null_count:  # a list with one unknown value has its others still
            values = [None if row is None else [v for v in row if v is not None] for row in inner.to_pylist()]
            inner = pa.array(values, inner.type)
        array = pc.binary_join(inner, LIST_SEPARATOR)
    elif pa.types.is_timestamp(array.type):
        unzoned = array.cast(pa.timestamp("ms", array.type.tz), safe=False).cast(pa.timestamp("ms"))
        array = unzoned.cast(pa.string())
    return [text or "" for text in array.cast(pa.string()).to_pylist()]
