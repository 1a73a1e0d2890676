"""Looking into a file that nothing is known of: its encoding, delimiter, header and first rows."""

from __future__ import annotations

import csv
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from data.compressed import members
from data.errors import DataError
from data.parquet_rows import read_parquet_rows
from data.readers.encoding import probable_encoding
from data.readers.excel import read_excel
from data.readers.jsonl import read_json_lines
from data.readers.table_file import format_by_name
from data.rejects import Rejects
from data.rows import Rows, TextFormat, no_progress, open_text, read_rows

ROWS = 20_000
"""How many rows are looked at."""

_HEAD_LINES = 200
_HEAD_CHARACTERS = 1 << 20
_DELIMITERS = (",", ";", "\t", "|", "::")
_OBJECTS = 500


@dataclass(frozen=True)
class Sample:
    """The first rows of a file, as texts by column."""

    path: Path
    kind: str
    """One of `data.readers.table_file.FORMATS`."""
    form: TextFormat
    columns: Mapping[str, Sequence[str]]
    sure: bool = True
    """False where another encoding is nearly as likely."""

    @property
    def rows(self) -> int:
        """How many rows were looked at."""
        return len(next(iter(self.columns.values()), ()))


def look(path: Path) -> Sample:
    """The first rows of a file; `DataError` for one that cannot be read as a table."""
    if not path.is_file():
        raise DataError(f"{path}: no such file")
    kind, form, sure, rejects = format_by_name(path), TextFormat(), True, Rejects(max_rate=1.0)
    if kind == "csv":
        form, sure = _text_form(path)
        rows = read_rows(path, "sample", (), rejects, form)
    elif kind == "xlsx":
        rows = read_excel(path, "", "sample", (), ".", no_progress)
    elif kind == "jsonl":
        rows = read_json_lines(path, "sample", _json_names(path), rejects, ".", no_progress)
    else:
        rows = read_parquet_rows(path, "sample", _parquet_names(path), rejects, no_progress)
    columns = _columns(rows)
    if not columns:
        raise DataError(f"{path}: no row could be read as a table")
    return Sample(path, kind, form, columns, sure)


def _columns(batches: Iterator[Rows]) -> dict[str, list[str]]:
    columns: dict[str, list[str]] = {}
    for batch in batches:
        for name in batch.columns:
            if name:
                columns.setdefault(name, []).extend(text.strip() for text in batch.column(name))
        if sum(map(len, columns.values())) >= ROWS * len(columns):
            break
    return {name: texts[:ROWS] for name, texts in columns.items()}


def _text_form(path: Path) -> tuple[TextFormat, bool]:
    """How the text is written, and whether the encoding is sure."""
    member = members(path, "*")[0] if path.suffix == ".zip" else ""
    encoding, sure = probable_encoding(path, member)
    if not encoding:
        raise DataError(f"{path}: is in no encoding that is known here; save it as UTF-8")
    with open_text(path, encoding, no_progress, member) as text:
        head = list(islice(iter(lambda: text.readline(_HEAD_CHARACTERS), ""), _HEAD_LINES))
    if not head:
        raise DataError(f"{path}: the file is empty")
    delimiter = _delimiter(head)
    if not delimiter:
        raise DataError(f"{path}: no delimiter found: the lines are no table of , ; | or tabs")
    form = TextFormat(delimiter, encoding, quoted=len(delimiter) == 1, member=member)
    rows = _split(head, delimiter)
    if _is_header(rows[0]):
        return form, sure
    return replace(form, columns=tuple(f"column{number}" for number in range(1, len(rows[0]) + 1))), sure


def _split(lines: Sequence[str], delimiter: str) -> list[list[str]]:
    if len(delimiter) > 1:
        return [line.rstrip("\r\n").split(delimiter) for line in lines if line.strip()]
    return [row for row in csv.reader(io.StringIO("".join(lines), newline=""), delimiter=delimiter) if row]


def _delimiter(lines: Sequence[str]) -> str:
    """The one by which most lines have the same number of fields, more fields first; empty if none does."""
    best, found = (0.0, 0), ""
    for delimiter in _DELIMITERS:
        try:
            counts = Counter(len(row) for row in _split(lines, delimiter))
        except csv.Error:
            continue
        width, rows = counts.most_common(1)[0]
        score = (round(rows / counts.total(), 1), width)
        if width > 1 and score > best:
            best, found = score, delimiter
    return found


def _is_header(row: Sequence[str]) -> bool:
    """Names are all there, all different, and none begins with a digit."""
    names = [name.strip() for name in row]
    return len(set(names)) == len(names) and not any(not name or name[0].isdigit() for name in names)


def _json_names(path: Path) -> list[str]:
    """The dotted names of all plain values in the first objects."""
    names: dict[str, None] = {}
    with open_text(path, "utf-8", no_progress) as text:
        for line in islice(text, _OBJECTS):
            try:
                record = json.loads(line)
            except ValueError:
                continue
            if isinstance(record, dict):
                names |= dict.fromkeys(_dotted(record))
    if not names:
        raise DataError(f"{path}: no JSON objects, one a line")
    return list(names)


def _dotted(record: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    for name, value in record.items():
        if isinstance(value, dict):
            yield from _dotted(value, f"{prefix}{name}.")
        elif value is not None and not (isinstance(value, list) and any(isinstance(v, dict) for v in value)):
            yield f"{prefix}{name}"


def _parquet_names(path: Path) -> list[str]:
    try:
        return list(pq.read_schema(path).names)
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: no readable Parquet file ({' '.join(str(error).split())})") from error
