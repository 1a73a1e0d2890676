"""From raw texts to typed Arrow arrays, a batch at a time; what does not parse marks its row as rejected.

Whole columns are converted at once; only a column with a mistake is gone through value by value to find it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from data.canonical import canonical_ids
from data.idset import IdSet
from data.rejects import Rejects
from data.rows import Rows
from engine.ids import CONTROL, MAX_ID_BYTES, NO_IDS

NULLS = ("", *NO_IDS)
"""Texts that mean "unknown"."""

_RANGE = 10**14  # milliseconds around 1970: about the years -1200 to 5100
_EARLIEST = datetime(1990, 1, 1)  # noqa: DTZ001 - the data's own clock
_AHEAD = timedelta(days=1)  # of a clock in another time zone
_LARGEST = 3.4e38  # of a 32-bit float
_CONTROL = r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]"
_MS = pa.timestamp("ms")


class Columns:
    """The typed columns of one `Rows` batch of N rows. Arrays are [N]; rows marked bad drop out in `keep`."""

    def __init__(
        self, rows: Rows, rejects: Rejects, nulls: tuple[str, ...] = NULLS, decimal: str = "."
    ) -> None:
        self.rows = rows
        self._rejects = rejects
        self._nulls = pa.array(nulls, pa.string())
        self._decimal_comma = decimal == ","
        self._reasons: dict[int, str] = {}
        self._cleaned: set[str] = set()

    def __len__(self) -> int:
        return len(self.rows.lines)

    def text(self, name: str) -> Any:
        """Trimmed text, null where unknown; control characters other than tabs and line ends are removed."""
        texts = self._trimmed(name)
        controlled = pc.match_substring_regex(texts, _CONTROL)
        count = pc.sum(controlled).as_py()
        if not count:
            return texts
        self._clean(f"control characters in {name}", count)
        cleaned = pc.replace_substring_regex(texts, f"{_CONTROL}+", " ")
        return self._null(pc.utf8_trim_whitespace(cleaned))

    def category(self, name: str) -> Any:
        """A categorical value in its canonical spelling ("5.0" is "5"), null where unknown."""
        return canonical_ids(self.text(name))

    def ids(self, name: str) -> Any:
        """Canonical ids; a missing one rejects the row, and so does a text that no service takes as an id."""
        ids = canonical_ids(self._trimmed(name))
        unknown = pc.is_in(ids, pa.array(NO_IDS, pa.string()))
        self.require(pc.and_(pc.is_valid(ids), pc.invert(unknown)), f"no {name}")
        ids = ids.fill_null("")
        long = pc.greater(pc.binary_length(ids), MAX_ID_BYTES)
        self.require(pc.invert(long), f"{name} of more than {MAX_ID_BYTES} bytes")
        self.require(pc.invert(pc.match_substring_regex(ids, f"[{CONTROL}]")), f"control character in {name}")
        return ids

    def unique(self, ids: Any, seen: IdSet, name: str) -> None:
        """Reject rows whose id an earlier good row had. Call it after every other check."""
        good = self._good()
        fresh = np.zeros(len(self), dtype=np.bool_)
        fresh[good] = seen.add(ids.filter(pa.array(good)))
        self.require(pa.array(fresh | ~good), f"duplicate {name}")

    def number(self, name: str, *, required: bool = False, minimum: float = -math.inf) -> Any:
        """Numbers of at least `minimum` that fit into 32 bits; null where unknown, unless `required`."""
        texts = self.text(name)
        if self._decimal_comma:
            texts = _with_points(texts)
        try:
            numbers = texts.cast(pa.float64())
        except pa.ArrowInvalid:
            numbers = pa.array([_float(text) for text in texts.to_pylist()], pa.float64())
        sound = pc.and_(pc.is_finite(numbers), pc.less_equal(pc.abs(numbers), _LARGEST))
        bad = pc.invert(pc.and_(sound, pc.greater_equal(numbers, minimum)))
        wrong = pc.and_(pc.is_valid(texts), pc.fill_null(bad, True))
        self.require(pc.invert(wrong), f"bad {name}")
        if required:
            self.require(pc.is_valid(texts), f"no {name}")
        return pc.if_else(wrong, None, numbers)

    def time(self, name: str, form: str = "iso", *, required: bool = True) -> Any:
        """Times as timestamp[ms], UTC. `form`: "iso", "epoch_s", "epoch_ms", or a strptime pattern.

        A time before 1990 or more than a day ahead of now rejects the row. Where the time is optional, one
        before 1990 is unknown, and one in the future is taken: a product may be announced.
        """
        texts = self.text(name)
        times = _times(texts, form)
        self.require(pc.or_(pc.is_null(texts), pc.is_valid(times)), f"bad {name}")
        early = pc.less(times, pa.scalar(_EARLIEST, _MS)).fill_null(False)
        if not required:
            self._clean(f"{name} before 1990", pc.sum(early).as_py() or 0)
            return pc.if_else(early, None, times)
        self.require(pc.is_valid(texts), f"no {name}")
        self.require(pc.invert(early), f"{name} before 1990")
        late = pc.greater(times, pa.scalar(datetime.now(timezone.utc) + _AHEAD, _MS)).fill_null(False)
        self.require(pc.invert(late), f"{name} in the future")
        return times.fill_null(0)

    def choice(self, name: str, meanings: Mapping[str, str]) -> Any:
        """Each value translated by `meanings`; another value rejects the row."""
        values = self.category(name)
        encoded = values.dictionary_encode()
        meaning = pa.array([meanings.get(text) for text in encoded.dictionary.to_pylist()], pa.string())
        translated = meaning.take(encoded.indices)
        self.require(pc.is_valid(translated), f"bad {name}")
        return translated.fill_null("")

    def require(self, good: Any, reason: str) -> None:
        """Reject the rows where the bool array is false; a row keeps the first reason it got."""
        for index in np.flatnonzero(~np.asarray(good.to_numpy(zero_copy_only=False), dtype=np.bool_)):
            self._reasons.setdefault(int(index), reason)

    def keep(self, columns: Mapping[str, Any]) -> dict[str, Any]:
        """Count the rows, hand the bad ones to the rejects, and return the columns of the good ones."""
        for index in sorted(self._reasons):
            self._rejects.add(self.rows.reject(index, self._reasons[index]))
        self._rejects.read(self.rows.table, len(self))
        if not self._reasons:
            return dict(columns)
        good = pa.array(self._good())
        return {name: array.filter(good) for name, array in columns.items()}

    def origin(self) -> Any:
        """Where each row stands, for `PreparedWriter.events`: int64 [N] (`Rejects.place` reads it)."""
        return pa.array(np.asarray(self.rows.lines, np.int64) + self._rejects.origin(self.rows.file))

    def constant(self, value: Any, kind: Any) -> Any:
        """The same value for every row."""
        return pa.repeat(pa.scalar(value, kind), len(self))

    def _good(self) -> Any:
        good = np.ones(len(self), dtype=np.bool_)
        good[list(self._reasons)] = False
        return good

    def _raw(self, name: str) -> Any:
        texts = self.rows.column(name)
        try:
            return pa.array(texts, pa.string())
        except UnicodeEncodeError:  # undecodable bytes were read as surrogates
            decoded = [_decodable(text) for text in texts]
            self.require(pa.array([text is not None for text in decoded]), "wrong encoding")
            return pa.array([text or "" for text in decoded], pa.string())

    def _trimmed(self, name: str) -> Any:
        return self._null(pc.utf8_trim_whitespace(self._raw(name)))

    def _clean(self, what: str, values: int) -> None:
        """Count cleaned values of a column, once however often it is asked for."""
        if what not in self._cleaned:
            self._cleaned.add(what)
            self._rejects.clean(self.rows.table, what, values)

    def _null(self, texts: Any) -> Any:
        return pc.if_else(pc.is_in(texts, self._nulls), None, texts)


def _decodable(text: str) -> str | None:
    try:
        text.encode()
    except UnicodeEncodeError:
        return None
    return text


def _with_points(texts: Any) -> Any:
    """Numbers such as 1.234,50 as 1234.50; what is not one becomes a text that is no number."""
    known = pc.match_substring_regex(texts, r"^[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?$")
    points = pc.replace_substring(pc.replace_substring(texts, ".", ""), ",", ".")
    return pc.if_else(pc.or_kleene(known, pc.is_null(texts)), points, "not a number")


def _float(text: str | None) -> float | None:
    if text is None or "_" in text:  # Python alone would read 1_000
        return None
    try:
        return float(text)
    except ValueError:
        return None


def _times(texts: Any, form: str) -> Any:
    if form == "iso":
        try:
            return texts.cast(_MS)
        except pa.ArrowInvalid:
            return _each(texts, _iso)
    if form in ("epoch_s", "epoch_ms"):
        scale = 1000 if form == "epoch_s" else 1
        return _each(texts, lambda text: _epoch(text, scale))
    return _each(texts, lambda text: datetime.strptime(text, form))  # noqa: DTZ007 - its own clock, or %z


def _each(texts: Any, parse: Callable[[str], datetime | int]) -> Any:
    """Parse each distinct text once; null where it does not parse."""
    encoded = texts.dictionary_encode()
    parsed: list[int | None] = []
    for text in encoded.dictionary.to_pylist():
        try:
            parsed.append(_milliseconds(parse(text)))
        except (ValueError, OverflowError):
            parsed.append(None)
    return pa.array(parsed, pa.int64()).take(encoded.indices).cast(_MS)


def _milliseconds(value: datetime | int) -> int:
    if isinstance(value, datetime):
        if value.tzinfo is None:  # the data's own clock counts as UTC
            value = value.replace(tzinfo=timezone.utc)
        value = round(value.timestamp() * 1000)
    if not -_RANGE < value < _RANGE:
        raise ValueError("out of range")
    return value


def _iso(text: str) -> datetime:
    if text.endswith(("Z", "z")):  # Python 3.10 does not read the Z
        text = text[:-1] + "+00:00"
    head, dot, fraction = text.partition(".")
    if dot:  # nor a fraction that has not three or six digits
        digits = fraction[: len(fraction) - len(fraction.lstrip("0123456789"))]
        if not digits:
            raise ValueError("no digits behind the point")
        text = f"{head}.{digits[:6]:0<6}{fraction[len(digits) :]}"
    return datetime.fromisoformat(text)


def _epoch(text: str, scale: int) -> int:
    if "_" in text:
        raise ValueError("no number")
    return round(float(text) * scale)
