"""From the lines of a text table to its rows, so that one damaged line costs itself and no other.

A quoted field may go on over line ends. A quote that is never closed looks the same at first, and would
swallow all lines up to the next quote. Which of the two it is, `_Parser.row` decides (docs/adr/0170).
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import IO

from data.errors import DataError
from data.rejects import Reject, Rejects

Rows = tuple[Sequence[int], list[list[str]]]
"""The numbers of the (first) lines of some rows, and their fields."""

_LINE_LIMIT = 1 << 20  # characters; a longer "line" is no text table, and must not fill the memory
_ROW_LIMIT = 1 << 17  # characters of a row that goes over several lines
_ROW_LINES = 1000
_BLOCK_LINES = 2_000
_BLOCK_CHARACTERS = 1 << 22
_TOO_LONG = ""  # stands for a line that was rejected when it was read: no line read is empty


class Lines:
    """The physical lines of a file, numbered from 1, counted, and read in blocks.

    An endless line is rejected without being held.
    """

    def __init__(self, text: IO[str], path: Path, table: str, rejects: Rejects) -> None:
        self.path = path
        self.table = table
        self.rejects = rejects
        self._text = text
        self._buffer: list[str] = []
        self._first = 1  # the number of the line that is first in the buffer
        self._at = 0

    @property
    def number(self) -> int:
        """The number of the line that is read next."""
        return self._first + self._at

    def block(self) -> list[str]:
        """The lines that are in memory and not read; at the end of the file none."""
        if self._at == len(self._buffer):
            self._first += self._at
            self._buffer, self._at = [], 0
            self._fill()
        return self._buffer[self._at :] if self._at else self._buffer

    def ahead(self) -> Iterator[str]:
        """The lines that are not read, however many are asked for; they stay unread."""
        at = self._at
        while at < len(self._buffer) or self._fill():
            yield self._buffer[at]
            at += 1

    def skip(self, lines: int) -> None:
        """Take this many lines as read."""
        self._at += lines

    def reject(self, number: int, reason: str, raw: str) -> None:
        """Count and list a row that is not used."""
        self.rejects.read(self.table, 1)
        self.rejects.add(Reject(self.table, str(self.path), number, reason, raw))

    def _fill(self) -> bool:
        """Read another block into the buffer; False at the end of the file."""
        characters = lines = 0
        while lines < _BLOCK_LINES and characters < _BLOCK_CHARACTERS:
            line = self._text.readline(_LINE_LIMIT)
            if not line:
                break
            lines += 1
            characters += len(line)
            number = self._first + len(self._buffer)
            if number == 1 and "\0" in line:
                raise DataError(
                    f"{self.path}:1: is no text in this encoding (UTF-16, perhaps): save it as UTF-8"
                )
            if len(line) == _LINE_LIMIT and not line.endswith(("\n", "\r")):
                self.reject(number, "line too long", line[:200])
                while len(line) == _LINE_LIMIT and not line.endswith(("\n", "\r")):
                    line = self._text.readline(_LINE_LIMIT)
                line = _TOO_LONG
            self._buffer.append(line)
        self.rejects.count_lines(self.table, lines)
        return lines > 0


def header(lines: Lines, delimiter: str, *, quoted: bool) -> tuple[int, list[str]] | None:
    """The line number and the fields of the first line that is not blank; None where there is none."""
    parser = _Parser(delimiter, quoted, 0)
    while lines.block():
        number = lines.number
        line = next(lines.ahead())
        fields, taken, reason = ([], 1, "") if _is_blank(line) else parser.first(lines)
        if reason:
            raise DataError(f"{lines.path}:{number}: {reason} in the header {line[:200]!a}; correct it")
        lines.skip(taken)
        lines.rejects.count_lines(lines.table, 0, ignored=taken if line else 0)
        if fields:
            return number, [name.strip() for name in fields]
    return None


def rows(lines: Lines, delimiter: str, width: int, *, quoted: bool) -> Iterator[Rows]:
    """All rows of `width` fields, a block at a time; what has another form is rejected with its line."""
    parser = _Parser(delimiter, quoted, width)
    while block := lines.block():
        number = lines.number
        parsed = parser.block(block)
        if parsed is None:
            yield _one_by_one(lines, parser, len(block))
            continue
        lines.skip(len(block))
        if width > 1 and set(map(len, parsed)) == {width}:
            yield range(number, number + len(parsed)), parsed
        else:
            yield _sound(lines, number, block, parsed, width, delimiter)


def _sound(
    lines: Lines, number: int, block: list[str], parsed: list[list[str]], width: int, delimiter: str
) -> Rows:
    """The rows of the right width, where each line is a row of its own."""
    numbers: list[int] = []
    sound: list[list[str]] = []
    ignored = 0
    for at, (line, row) in enumerate(zip(block, parsed, strict=True), number):
        if _is_blank(line):
            ignored += line != _TOO_LONG
        elif len(row) == width:
            numbers.append(at)
            sound.append(row)
        else:
            lines.reject(at, f"{len(row)} columns instead of {width}", delimiter.join(row))
    lines.rejects.count_lines(lines.table, 0, ignored=ignored)
    return numbers, sound


def _one_by_one(lines: Lines, parser: _Parser, count: int) -> Rows:
    """The rows that begin in the next `count` lines; some are damaged or go over several lines."""
    numbers: list[int] = []
    sound: list[list[str]] = []
    end = lines.number + count
    while lines.number < end:
        number, line = lines.number, next(lines.ahead())
        if _is_blank(line):
            lines.rejects.count_lines(lines.table, 0, ignored=int(line != _TOO_LONG))
            lines.skip(1)
            continue
        fields, taken, reason = parser.row(lines)
        if reason:
            lines.reject(number, reason, line.rstrip("\r\n"))
        else:
            numbers.append(number)
            sound.append(fields)
        lines.rejects.count_lines(lines.table, 0, continued=taken - 1)
        lines.skip(taken)
    return numbers, sound


class _Parser:
    """Splits lines into fields."""

    def __init__(self, delimiter: str, quoted: bool, width: int) -> None:
        self._delimiter = delimiter
        self._quoted = quoted
        self._width = width
        mark = re.escape(delimiter)
        self._field = re.compile(rf'(?:("(?:[^"]|"")*")(?={mark}|\Z)|([^{mark}]*))({mark}|\Z)')

    def block(self, block: list[str]) -> list[list[str]] | None:
        """The fields of every line; None where some line is no row of its own."""
        text = "".join(block)
        if "\0" in text:
            return None
        if not self._quoted or '"' not in text:
            return [line.rstrip("\r\n").split(self._delimiter) for line in block]
        try:
            parsed = list(csv.reader(block, delimiter=self._delimiter, strict=True))
        except csv.Error:
            return None
        return parsed if len(parsed) == len(block) else None

    def row(self, lines: Lines) -> tuple[list[str], int, str]:
        """The row that begins with the next line: its fields, its number of lines, and why it is unusable.

        A row of several lines is one if its quotes close within `_ROW_LINES` lines and it then has the right
        number of fields; but not if its first line and most of the others have that number by themselves:
        then these are rows, and the quote between them is a stray one.
        """
        fields, taken, reason = self.first(lines)
        if not reason and taken == 1:
            wrong = len(fields) != self._width
            return fields, 1, f"{len(fields)} columns instead of {self._width}" if wrong else ""
        if reason not in ("", _BEHIND):
            return [], 1, reason
        physical = list(islice(lines.ahead(), taken))
        alone = [len(self._alone(line)) == self._width for line in physical]
        if not reason and len(fields) == self._width and not (alone[0] and sum(alone[1:]) * 2 > taken - 1):
            return fields, taken, ""
        if reason == _BEHIND and alone[0]:  # "Best" nails: quotes that are content
            return self._alone(physical[0]), 1, ""
        return [], 1, reason or _UNCLOSED

    def first(self, lines: Lines) -> tuple[list[str], int, str]:
        """As `row`, of any number of fields, and however many lines its quotes take."""
        line = next(lines.ahead())
        if "\0" in line:
            return [], 1, "NUL character"
        if not self._quoted or '"' not in line:
            return line.rstrip("\r\n").split(self._delimiter), 1, ""
        taken = characters = 0
        ended = False

        def ahead() -> Iterator[str]:
            nonlocal taken, characters, ended
            for line in lines.ahead():
                too_much = taken == _ROW_LINES or characters > _ROW_LIMIT
                if taken and (too_much or line == _TOO_LONG or "\0" in line):
                    break
                taken += 1
                characters += len(line)
                yield line
            ended = True

        try:
            return next(csv.reader(ahead(), delimiter=self._delimiter, strict=True)), taken, ""
        except (csv.Error, StopIteration):
            return [], 1, _BEHIND if taken == 1 and not ended else _UNCLOSED

    def _alone(self, line: str) -> list[str]:
        """The fields of one line; a quote that does not close at the end of its field is content."""
        line = line.rstrip("\r\n")
        fields: list[str] = []
        at, mark = 0, self._delimiter
        while mark and (match := self._field.match(line, at)):
            quoted, content, mark = match.groups()
            fields.append(content if quoted is None else quoted[1:-1].replace('""', '"'))
            at = match.end()
        return fields


_UNCLOSED = "a quote that is not closed"
_BEHIND = "text behind a closing quote"


def _is_blank(line: str) -> bool:
    return not line.strip("\r\n")
