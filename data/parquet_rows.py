"""Reading a Parquet table as the same `Rows` of texts that text files give; the line is the row's number."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from data.errors import DataError
from data.rows import BATCH_ROWS, Advance, Rows

LIST_SEPARATOR = "|"
"""A list column is read as its values joined by this."""


def read_parquet_rows(path: Path, table: str, required: Sequence[str], advance: Advance) -> Iterator[Rows]:
    """Stream the required columns; `advance` is told rows. `DataError`: a missing column, a damaged file."""
    columns = tuple(dict.fromkeys(required))
    for batch, first in parquet_batches(path, columns, BATCH_ROWS):
        texts = [_texts(batch.column(name)) for name in columns]
        lines = range(first, first + batch.num_rows)
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
            for batch in file.iter_batches(rows, columns=list(columns)):
                yield batch, line
                line += batch.num_rows
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (pa.ArrowInvalid, OSError) as error:
        raise DataError(f"{path}: no readable Parquet file ({' '.join(str(error).split())})") from error


def parquet_rows(path: Path) -> int | None:
    """How many rows the file says it has; None when it cannot be read (reading it then tells why)."""
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowInvalid, OSError):
        return None


def _texts(array: Any) -> list[str]:
    if pa.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    if pa.types.is_list(array.type) or pa.types.is_large_list(array.type):
        inner = array.cast(pa.list_(pa.string()))
        array = pc.binary_join(inner, LIST_SEPARATOR)
    elif pa.types.is_timestamp(array.type):
        unzoned = array.cast(pa.timestamp("ms", array.type.tz), safe=False).cast(pa.timestamp("ms"))
        array = unzoned.cast(pa.string())
    return [text or "" for text in array.cast(pa.string()).to_pylist()]
