"""Which encoding a text file has, said only where it is sure enough."""

from __future__ import annotations

import codecs
from pathlib import Path

from charset_normalizer import from_bytes

from data.compressed import DAMAGED, decompressed
from data.errors import DataError

AUTO = "auto"
_BLOCK = 1 << 20
_LOOKED_AT = 64 << 20
"""Bytes of the file that are searched for lines beyond ASCII."""
_SAMPLE = 1 << 16
"""Bytes of such lines that are enough."""
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CANDIDATES = [
    *("cp1252", "gb18030", "big5", "cp932", "euc_jp", "euc_kr"),
    *("cp1251", "cp1250", "cp1253", "cp1254"),
]
"""What shops' exports are written in, the more frequent ones first."""
_MOST_CHAOS, _CLEAR = 0.3, 0.05
"""Shares of odd signs: too many for a text; so much more that a reading is clearly the worse one."""


def encoding_of(path: Path, encoding: str, member: str = "") -> str:
    """The encoding to read with: the one given, or what ``auto`` finds.

    Raises `DataError` where the file is not in the UTF-8 that it is said to be in, and where ``auto`` is not
    sure: the message says what it probably is.
    """
    if encoding.lower() not in (AUTO, "utf-8", "utf8"):
        return encoding
    name, sure = probable_encoding(path, member)
    if not name:
        raise DataError(f"{path}: is not UTF-8; name its encoding, or save it as UTF-8")
    if name.startswith("utf") or (encoding.lower() == AUTO and sure):
        return name
    raise DataError(
        f'{path}: is not UTF-8, but probably {name}: say encoding = "{name}", or save it as UTF-8'
    )


def probable_encoding(path: Path, member: str = "") -> tuple[str, bool]:
    """The encoding that a file most likely has, empty if it looks like none, and whether that is sure."""
    mark, lines = _sample(path, member)
    if mark:
        return mark, True
    broken = [line for line in lines if not _is_utf8(line)]
    if len(broken) <= len(lines) / 2:  # single damaged lines are rejects
        return "utf-8", True
    return guessed(b"".join(broken))


def guessed(sample: bytes) -> tuple[str, bool]:
    """The likeliest encoding of text that is not UTF-8, and whether no other one is nearly as likely.

    An empty name where none reads it as a text.
    """
    found = from_bytes(sample, cp_isolation=_CANDIDATES, threshold=_MOST_CHAOS)
    read_as = {
        name: (str(match), match.chaos, match.coherence)
        for match in found
        for name in match.could_be_from_charset
        if name in _CANDIDATES
    }
    if not read_as:
        return "", False
    name = min(read_as, key=lambda name: (read_as[name][1], -read_as[name][2], _CANDIDATES.index(name)))
    text, chaos, coherence = read_as[name]
    others = [other[2] for other in read_as.values() if other[0] != text and other[1] <= chaos + _CLEAR]
    return name, not others or coherence > max(others) + 0.1


def _sample(path: Path, member: str) -> tuple[str, list[bytes]]:
    """The encoding that a byte order mark names, and some lines with bytes beyond ASCII."""
    lines: list[bytes] = []
    seen = size = 0
    try:
        with path.open("rb") as raw, decompressed(path, raw, member) as binary:
            rest = b""
            while (block := binary.read(_BLOCK)) and seen < _LOOKED_AT and size < _SAMPLE:
                if not seen:
                    for mark, name in _MARKS:
                        if block.startswith(mark):
                            return name, []
                seen += len(block)
                *whole, rest = (rest + block).split(b"\n")
                beyond = [] if block.isascii() else [line + b"\n" for line in whole if not line.isascii()]
                lines += beyond
                size += sum(map(len, beyond))
            if rest and not rest.isascii() and size < _SAMPLE:
                lines.append(rest + b"\n")
    except FileNotFoundError as error:
        raise DataError(f"{path}: no such file") from error
    except DAMAGED as error:
        raise DataError(f"{path}: damaged or cut off ({error}); get the file again") from error
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror or error}") from error
    return "", lines


def _is_utf8(line: bytes) -> bool:
    try:
        line.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
