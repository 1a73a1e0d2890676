"""Unpacking as a stream, by the file's name: .gz, .bz2, .xz, .zst, and .zip with one file or a pattern."""

from __future__ import annotations

import bz2
import fnmatch
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

import pyarrow as pa

from data.errors import DataError

if TYPE_CHECKING:
    from typing_extensions import Buffer  # collections.abc has it from Python 3.12 on

DAMAGED = (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, lzma.LZMAError, RuntimeError)
"""What reading a damaged packed file may raise, beside OSError."""


@contextmanager
def decompressed(path: Path, raw: IO[bytes], member: str = "") -> Iterator[IO[bytes]]:
    """The unpacked bytes of the open file `raw`; `member` names one file in a .zip with several."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(raw) as archive, archive.open(member or _only(path, archive)) as binary:
            yield binary
        return
    opener: Any = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open, ".zst": _zstandard}.get(path.suffix)
    if opener is None:
        yield raw
        return
    with opener(raw) as binary:
        yield binary


def members(path: Path, pattern: str) -> list[str]:
    """The files in a .zip that fit the pattern, by name; the only one where there is no pattern."""
    try:
        with zipfile.ZipFile(path) as archive:
            if not pattern:
                return [_only(path, archive)]
            found = [name for name in _files(archive) if fnmatch.fnmatchcase(name, pattern)]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path}: damaged or cut off ({error}); get the file again") from error
    if not found:
        raise DataError(f"{path}: no file in it fits {pattern!r}")
    return sorted(found)


def _only(path: Path, archive: zipfile.ZipFile) -> str:
    files = _files(archive)
    if len(files) != 1:
        raise DataError(
            f"{path}: holds {len(files)} files instead of one; unpack it and name the file, "
            "or in a mapping file say which by member"
        )
    return files[0]


def _files(archive: zipfile.ZipFile) -> list[str]:
    return [name for name in archive.namelist() if not name.endswith("/") and not name.startswith("__MACOSX")]


def _zstandard(raw: IO[bytes]) -> io.BufferedReader:
    return io.BufferedReader(_Stream(pa.CompressedInputStream(pa.PythonFile(raw, "r"), "zstd")), 1 << 18)


class _Stream(io.RawIOBase):
    """Arrow's stream as Python's."""

    def __init__(self, stream: Any) -> None:
        self._stream = stream

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Buffer) -> int:
        view = memoryview(buffer)
        data = self._stream.read(len(view))
        view[: len(data)] = data
        return len(data)
