"""Reading a sheet of an Excel file, a row at a time; XML bombs are refused by defusedxml."""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any
from xml.etree.ElementTree import ParseError
from zipfile import BadZipFile

import openpyxl
from openpyxl.utils.exceptions import InvalidFileException

from data.errors import DataError
from data.readers.typed import batches, missing_column, text_of
from data.rows import Advance, Rows

_ERRORS = frozenset({"#N/A", "#REF!", "#DIV/0!", "#VALUE!", "#NAME?", "#NULL!", "#NUM!"})
"""What a formula leaves that failed: unknown."""


def read_excel(
    path: Path, sheet: str, table: str, required: Sequence[str], decimal: str, advance: Advance
) -> Iterator[Rows]:
    """Stream one sheet; its first row that is not empty has the names. `advance` is told rows.

    Empty rows are skipped, as Excel files often end with thousands. Raises `DataError`: no such sheet or
    column, a damaged file.
    """
    try:
        book = openpyxl.load_workbook(path, read_only=True, data_only=True)
        try:
            yield from _sheet(_chosen(book, path, sheet), path, table, required, decimal, advance)
        finally:
            book.close()
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except (
        *(BadZipFile, zlib.error, InvalidFileException, ParseError),
        *(KeyError, ValueError, EOFError, OSError),  # defusedxml's are ValueErrors
    ) as error:
        reason = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: no readable Excel file ({reason}); save it as .xlsx again") from error


def _chosen(book: Any, path: Path, sheet: str) -> Any:
    if not sheet:
        return book.worksheets[0]
    if sheet not in book.sheetnames:
        raise DataError(f"{path}: no sheet {sheet!r}; found {', '.join(book.sheetnames)!a}")
    return book[sheet]


def _sheet(
    rows: Any, path: Path, table: str, required: Sequence[str], decimal: str, advance: Advance
) -> Iterator[Rows]:
    # Some programs write a wrong size of the sheet, which would cut rows off.
    rows.reset_dimensions()
    numbered = _texts(rows.iter_rows(values_only=True), decimal)
    _, names = next(numbered, (0, []))
    columns = [name.strip() for name in names]
    if not columns:
        raise DataError(f"{path}: the sheet is empty")
    for name in required:
        if columns.count(name) != 1:
            raise DataError(missing_column(str(path), name, columns))
    width = len(columns)
    padded = (
        (line, [*texts[:width], *[""] * (width - len(texts))]) for line, texts in numbered
    )  # a row ends with its last cell
    for batch in batches(table, str(path), columns, padded):
        advance(len(batch.fields))
        yield batch


def _texts(rows: Any, decimal: str) -> Iterator[tuple[int, list[str]]]:
    for line, cells in enumerate(rows, 1):
        texts = ["" if cell in _ERRORS else text_of(cell, decimal) for cell in cells]
        if any(texts):
            yield line, texts
