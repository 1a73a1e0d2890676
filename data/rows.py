"""Reading text tables line by line: plain, gzip or zip, any encoding, with the line number of every row."""

from __future__ import annotations

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from data.errors import DataError
from data.rejects import Reject, Rejects

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

BATCH_ROWS = 20_000
_LINE_LIMIT = 1 << 20  # characters; a longer "line" is no text table, and must not fill the memory

Advance = Callable[[int], None]
"""Told the number of bytes read since the last call."""


def no_progress(_: int) -> None:
    """An `Advance` for callers that show none."""


@dataclass(frozen=True)
class TextFormat:
    """How a text table is written."""

    delimiter: str = ","
    encoding: str = "utf-8"
    quoted: bool = True
    """Fields may be in double quotes, with delimiters and line ends inside."""
    columns: tuple[str, ...] = ()
    """Names of the columns of a file without a header; empty: the first line has the names."""
    decimal: str = "."
    """What stands before the decimals of a number: a point or a comma."""


@dataclass(frozen=True)
class Rows:
    """Some consecutive rows of one file, all with the right number of fields."""

    table: str
    file: str
    delimiter: str
    columns: Sequence[str]
    lines: Sequence[int]
    fields: Sequence[Sequence[str]]

    def column(self, name: str) -> list[str]:
        """The raw texts of one column, [N]."""
        at = self.columns.index(name)
        return [row[at] for row in self.fields]

    def reject(self, index: int, reason: str) -> Reject:
        """The reject for one of these rows."""
        return Reject(
            self.table, self.file, self.lines[index], reason, self.delimiter.join(self.fields[index])
        )


def read_rows(
    path: Path,
    table: str,
    required: Sequence[str],
    rejects: Rejects,
    form: TextFormat = TextFormat(),
    advance: Advance = no_progress,
) -> Iterator[Rows]:
    """Stream a file as `Rows` of at most `BATCH_ROWS`; rows with a wrong number of fields go to `rejects`.

    Raises `DataError` when the file is missing, empty, damaged, or lacks a required column.
    """
    with open_text(path, form.encoding, advance) as text:
        lines = _Lines(text, path, table, rejects)
        parsed = _quoted(lines, form, rejects) if form.quoted else _split(lines, form.delimiter)
        columns = form.columns or _header(parsed, path, form, required)
        numbers: list[int] = []
        fields: list[Sequence[str]] = []
        seen = False
        for number, row in parsed:
            seen = True
            if len(row) != len(columns):
                rejects.read(table, 1)
                reason = f"{len(row)} columns instead of {len(columns)}"
                rejects.add(Reject(table, str(path), number, reason, form.delimiter.join(row)))
                continue
            numbers.append(number)
            fields.append(row)
            if len(fields) >= BATCH_ROWS:
                yield Rows(table, str(path), form.delimiter, columns, numbers, fields)
                numbers, fields = [], []
        if fields:
            yield Rows(table, str(path), form.delimiter, columns, numbers, fields)
        if not seen and form.columns and not lines.number:
            raise DataError(f"{path}: the file is empty")


@contextmanager
def open_text(path: Path, encoding: str, advance: Advance) -> Iterator[IO[str]]:
    """Open plain, .gz or .zip (one member) text; every way a file can be damaged becomes a `DataError`."""
    try:
        with path.open("rb") as raw:
            counted = io.BufferedReader(_Counted(raw, advance), 1 << 18) if path.suffix != ".zip" else raw
            with _decompressed(path, counted) as binary:
                # Bytes that do not decode are kept as surrogates, so that one bad row is one reject.
                codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
                with io.TextIOWrapper(binary, encoding=codec, errors="surrogateescape", newline="") as text:
                    yield text
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except LookupError as error:
        raise DataError(f"{path}: {error}") from error
    except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, RuntimeError, UnicodeError) as error:
        raise DataError(f"{path}: damaged or cut off ({error}); get the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


@contextmanager
def _decompressed(path: Path, raw: IO[bytes]) -> Iterator[IO[bytes]]:
    if path.suffix == ".gz":
        with gzip.GzipFile(fileobj=raw) as binary:
            yield binary  # type: ignore[misc]
    elif path.suffix == ".zip":
        with zipfile.ZipFile(raw) as archive:
            members = [m for m in archive.namelist() if not m.endswith("/") and not m.startswith("__MACOSX")]
            if len(members) != 1:
                raise DataError(
                    f"{path}: holds {len(members)} files instead of one; unpack it and name the file"
                )
            with archive.open(members[0]) as binary:
                yield binary
    else:
        yield raw


class _Counted(io.RawIOBase):
    """Passes reads on and tells how many bytes they brought."""

    def __init__(self, raw: IO[bytes], advance: Advance) -> None:
        self._raw = raw
        self._advance = advance

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self._raw.read(len(view))
        view[: len(data)] = data
        self._advance(len(data))
        return len(data)


class _Lines:
    """Iterates over lines and counts them; an endless line is rejected without being held."""

    def __init__(self, text: IO[str], path: Path, table: str, rejects: Rejects) -> None:
        self._text = text
        self.path = path
        self.table = table
        self._rejects = rejects
        self.number = 0
        self.first = 0
        """The first line handed out since this was set to 0: where a row of several lines starts."""

    def __iter__(self) -> Iterator[str]:
        while line := self._text.readline(_LINE_LIMIT):
            self.number += 1
            if self.number == 1 and "\0" in line:
                raise DataError(
                    f"{self.path}:1: is no text in this encoding (UTF-16, perhaps): save it as UTF-8"
                )
            if len(line) < _LINE_LIMIT:
                self.first = self.first or self.number
                yield line
                continue
            self._rejects.read(self.table, 1)
            self._rejects.add(Reject(self.table, str(self.path), self.number, "line too long", line[:200]))
            while len(line) == _LINE_LIMIT and not line.endswith(("\n", "\r")):
                line = self._text.readline(_LINE_LIMIT)


def _split(lines: _Lines, delimiter: str) -> Iterator[tuple[int, list[str]]]:
    for line in lines:
        stripped = line.rstrip("\r\n")
        if stripped:
            yield lines.number, stripped.split(delimiter)


def _quoted(lines: _Lines, form: TextFormat, rejects: Rejects) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(iter(lines), delimiter=form.delimiter, strict=False)
    while True:
        lines.first = 0
        try:
            row = next(reader)
        except StopIteration:
            return
        except (
            csv.Error
        ) as error:  # a quote that is never closed, or a NUL byte: the reader goes on behind it
            rejects.read(lines.table, 1)
            rejects.add(Reject(lines.table, str(lines.path), lines.first, f"not CSV: {error}", ""))
            continue
        if row:
            yield lines.first, row


def _header(
    parsed: Iterator[tuple[int, list[str]]], path: Path, form: TextFormat, required: Sequence[str]
) -> Sequence[str]:
    first = next(parsed, None)
    if first is None:
        raise DataError(f"{path}: the file is empty")
    number, row = first
    columns = [name.strip() for name in row]
    for name in required:
        if columns.count(name) != 1:
            problem = "is missing" if name not in columns else "is there twice"
            found = ascii(", ".join(columns))[:200]
            raise DataError(
                f"{path}:{number}: column {name!r} {problem}; found {found}. "
                f"Is the delimiter {form.delimiter!r} right?"
            )
    return columns
