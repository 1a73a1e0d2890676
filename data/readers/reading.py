"""A shop's table, whatever it comes from, as batches of rows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from data.compressed import members
from data.parquet_rows import parquet_rows, read_parquet_rows
from data.readers.database import database_url, read_query, shown
from data.readers.encoding import encoding_of
from data.readers.excel import read_excel
from data.readers.jsonl import read_json_lines
from data.readers.table_file import TableFile
from data.rejects import Rejects
from data.rows import Rows, read_rows

if TYPE_CHECKING:
    from data.sources.base import Progress


def read_table(
    source: TableFile,
    folder: Path,
    table: str,
    required: Sequence[str],
    rejects: Rejects,
    progress: Progress,
) -> Iterator[Rows]:
    """The rows of all files of a table, in the order named, or of its query.

    `table` is its name in reports, `required` the columns that must be there. Raises `DataError`.
    """
    decimal = source.form.decimal
    if source.is_query:
        url = database_url(source.url, source.url_env, folder)
        with progress(f"{table}: {shown(url)}", None, "row") as advance:
            rows = read_query(url, source.sql, table, required, decimal, advance)
            yield from _counted(rows, table, rejects)
        return
    for path in source.paths(folder):
        kind, label = source.format_of(path), f"{table}: {path.name}"
        if kind == "parquet":
            with progress(label, parquet_rows(path), "row") as advance:
                yield from read_parquet_rows(path, table, required, rejects, advance)
        elif kind == "xlsx":
            with progress(label, None, "row") as advance:
                rows = read_excel(path, source.sheet, table, required, decimal, advance)
                yield from _counted(rows, table, rejects)
        elif kind == "jsonl":
            with progress(label, path.stat().st_size, "B") as advance:
                yield from read_json_lines(path, table, required, rejects, decimal, advance)
        else:
            yield from _text(source, path, table, required, rejects, progress)


def _counted(tables: Iterator[Rows], table: str, rejects: Rejects) -> Iterator[Rows]:
    """The rows of a source without lines, where each row counts as one."""
    for rows in tables:
        rejects.count_lines(table, len(rows.lines))
        yield rows


def _text(
    source: TableFile, path: Path, table: str, required: Sequence[str], rejects: Rejects, progress: Progress
) -> Iterator[Rows]:
    packed = members(path, source.member) if path.suffix == ".zip" else [""]
    for member in packed:
        encoding = encoding_of(path, source.form.encoding, member)
        form = replace(source.form, encoding=encoding, member=member)
        with progress(f"{table}: {member or path.name}", path.stat().st_size, "B") as advance:
            yield from read_rows(path, table, required, rejects, form, advance)
