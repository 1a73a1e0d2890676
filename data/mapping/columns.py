"""What the texts of one column look like: numbers, times, ids, few values or many."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, partial

from data.columns import NULLS
from engine.ids import canonical_id

_MOSTLY = 0.98
_TRIED = 2_000
"""Distinct texts that a format is tried on."""

_POINT = re.compile(r"[+-]?\d+(\.\d+)?([eE][+-]?\d+)?")
_COMMA = re.compile(r"[+-]?(\d+|\d{1,3}(\.\d{3})+)(,\d+)?")
_ISO = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d([.,]\d+)?)?)?(Z|[+-]\d\d:?\d\d)?")
_DATES = (
    *(
        "%d.%m.%Y",
        "%d/%m/%Y",
        "%m/%d/%Y",
        "%Y/%m/%d",
        "%Y%m%d",
        "%d-%m-%Y",
        "%Y-%m-%d",
        "%d.%m.%y",
        "%m/%d/%y",
        "%d/%m/%y",
    ),
    *("%d %b %Y", "%b %d, %Y", "%d %B %Y"),
)
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p", " %H:%M:%S %z", "T%H:%M:%S")
_EPOCHS = (("epoch_s", 1e8, 4e9), ("epoch_ms", 1e11, 4e12))


@dataclass(frozen=True)
class Column:
    """One column of a sample."""

    name: str
    texts: Sequence[str]

    @cached_property
    def known(self) -> list[str]:
        """The texts that are not unknown."""
        return [text for text in self.texts if text not in NULLS]

    @cached_property
    def counts(self) -> Counter[str]:
        """How often each known text is there, ids spelled alike."""
        return Counter(canonical_id(text) for text in self.known)

    @property
    def filled(self) -> float:
        """Share of the rows where it is known."""
        return len(self.known) / max(1, len(self.texts))

    @cached_property
    def decimal(self) -> str:
        """``.`` or ``,`` where the texts are numbers with such decimals (``.``: whole ones); else empty."""
        if not self.known:
            return ""
        if self._share(lambda text: _POINT.fullmatch(text) is not None) >= _MOSTLY:
            return "."
        return "," if self._share(lambda text: _COMMA.fullmatch(text) is not None) >= _MOSTLY else ""

    @property
    def is_number(self) -> bool:
        """Numbers, whatever their decimals."""
        return bool(self.decimal)

    @cached_property
    def negative(self) -> float:
        """Share of the known texts that begin with a minus."""
        return sum(text.startswith("-") for text in self.known) / max(1, len(self.known))

    @cached_property
    def time_formats(self) -> list[str]:
        """The formats for `time_format` that nearly all texts fit: usually none or one; several where day and
        month cannot be told apart, the one with the shortest span of time first."""
        if not self.known:
            return []
        if self._share(lambda text: _ISO.fullmatch(text) is not None) >= _MOSTLY:
            return ["iso"]
        found = [name for name, low, high in _EPOCHS if self._share(partial(_between, low, high)) >= _MOSTLY]
        if found:
            return found
        first = self.known[0]
        formats = [date + clock for date in _DATES for clock in _CLOCKS if _fits(date + clock, first)]
        fitting = [form for form in formats if self._share(partial(_fits, form)) >= _MOSTLY]
        return sorted(fitting, key=self._span)

    def _span(self, form: str) -> float:
        times = [_parsed(text, form) for text in dict.fromkeys(self.known) if _fits(form, text)]
        return (max(times) - min(times)).total_seconds()

    def _share(self, fits: Callable[[str], bool]) -> float:
        distinct = list(dict.fromkeys(self.known))[:_TRIED]
        return sum(map(fits, distinct)) / max(1, len(distinct))


def _between(low: float, high: float, text: str) -> bool:
    return _POINT.fullmatch(text) is not None and low <= float(text) < high


def _fits(form: str, text: str) -> bool:
    try:
        return 1970 <= _parsed(text, form).year < 2100
    except ValueError:
        return False


def _parsed(text: str, form: str) -> datetime:
    return datetime.strptime(text, form)  # noqa: DTZ007 - only compared with others of its column
