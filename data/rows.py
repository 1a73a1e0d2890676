"""Reading text tables line by line: plain or packed, any encoding, with the line number of every row."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING

from data.compressed import DAMAGED, decompressed
from data.errors import DataError
from data.records import Lines, header, rows
from data.rejects import Reject, Rejects

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

BATCH_ROWS = 20_000

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
    member: str = ""
    """Which file of a .zip with several; empty: it has only one."""


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
    """Stream a file as `Rows` of at most `BATCH_ROWS`; what is no row of the right form goes to `rejects`.

    Raises `DataError` when the file is missing, damaged, without rows, or lacks a required column.
    """
    with open_text(path, form.encoding, advance, form.member) as text:
        lines = Lines(text, path, table, rejects)
        columns = form.columns or _header(lines, form, required)
        rejected = rejects.rejected(table)
        numbers: list[int] = []
        fields: list[Sequence[str]] = []
        seen = False
        for more, parsed in rows(lines, form.delimiter, len(columns), quoted=form.quoted):
            numbers += more
            fields += parsed
            while len(fields) >= BATCH_ROWS:
                seen = True
                batch, fields = fields[:BATCH_ROWS], fields[BATCH_ROWS:]
                yield Rows(table, str(path), form.delimiter, columns, numbers[:BATCH_ROWS], batch)
                numbers = numbers[BATCH_ROWS:]
        if fields:
            yield Rows(table, str(path), form.delimiter, columns, numbers, fields)
        elif not seen and rejects.rejected(table) == rejected:
            raise DataError(_nothing(path, lines.number - 1, has_header=not form.columns))


def _nothing(path: Path, number: int, *, has_header: bool) -> str:
    if not has_header:
        return f"{path}: the file is empty"
    return f"{path}:{number}: no rows behind the header; export the file again, or leave it out"


@contextmanager
def open_text(path: Path, encoding: str, advance: Advance, member: str = "") -> Iterator[IO[str]]:
    """Open plain or packed text (`member`: which file of a .zip); what is damaged becomes a `DataError`."""
    try:
        with path.open("rb") as raw:
            counted = io.BufferedReader(_Counted(raw, advance), 1 << 18) if path.suffix != ".zip" else raw
            with decompressed(path, counted, member) as binary:
                # Bytes that do not decode are kept as surrogates, so that one bad row is one reject.
                codec = "utf-8-sig" if encoding.lower() in ("utf-8", "utf8") else encoding
                with io.TextIOWrapper(binary, encoding=codec, errors="surrogateescape", newline="") as text:
                    yield text
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except LookupError as error:
        raise DataError(f"{path}: {error}") from error
    except (*DAMAGED, UnicodeError) as error:
        raise DataError(f"{path}: damaged or cut off ({error}); get the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error


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


def _header(lines: Lines, form: TextFormat, required: Sequence[str]) -> Sequence[str]:
    first = header(lines, form.delimiter, quoted=form.quoted)
    if first is None:
        raise DataError(f"{lines.path}: the file is empty")
    number, columns = first
    for name in required:
        if columns.count(name) != 1:
            problem = "is missing" if name not in columns else "is there twice"
            found = ascii(", ".join(columns))[:200]
            raise DataError(
                f"{lines.path}:{number}: column {name!r} {problem}; found {found}. "
                f"Is the delimiter {form.delimiter!r} right?"
            )
    return columns
