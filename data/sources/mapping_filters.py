"""Which rows of a shop's file count: conditions on columns, values to ignore, what is no product, returns.

Nothing is evaluated as code: a condition is a column, one of the tests of `_TESTS`, and what to compare with.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data import patterns
from data.columns import Columns
from data.dataset import TableReader
from engine.ids import canonical_id
from engine.vocabulary import EVENT_TYPES

Mask = npt.NDArray[np.bool_]

TAKE_BACK, IGNORE = "remove", "ignore"


@dataclass(frozen=True)
class Condition:
    """One test of one column; a text that is unknown fails every test but ``is_not`` and ``matches_not``."""

    column: str
    test: str
    values: tuple[Any, ...]

    def holds(self, cols: Columns) -> Mask:
        """Which rows pass: bool [N]."""
        return _mask(_TESTS[self.test](cols, self.column, self.values))

    def __str__(self) -> str:
        if self.test == "known":
            return f"{self.column} {'known' if self.values[0] else 'unknown'}"
        return f"{self.column} {self.test.replace('_', ' ')} {', '.join(map(str, self.values))}"


@dataclass(frozen=True)
class Returns:
    """Rows that are returns or cancellations (any condition holds), and what becomes of them."""

    when: tuple[Condition, ...]
    do: str
    """``remove``, ``ignore``, or an event type."""

    def found(self, cols: Columns) -> Mask:
        """Which rows are returns: bool [N]."""
        found = np.zeros(len(cols), np.bool_)
        for condition in self.when:
            found |= condition.holds(cols)
        return found


@dataclass(frozen=True)
class Exclude:
    """Items that are no products, by patterns of their id or title."""

    item_id: tuple[str, ...] = ()
    title: tuple[str, ...] = ()


def conditions(table: TableReader, key: str) -> tuple[Condition, ...]:
    """The list of conditions under `key`; each inline table has a column and one or more tests."""
    found: list[Condition] = []
    for one in table.tables(key):
        column = one.text("column")
        tests = [name for name in _TESTS if one.has(name)]
        if not tests:
            raise one.error("column", f"say what must hold for it: one of {', '.join(_TESTS)}")
        found += [Condition(column, test, _values(one, test)) for test in tests]
        one.refuse_unknown()
    return tuple(found)


def returns(table: TableReader) -> Returns | None:
    """``returns = { when = […], do = "…" }`` of the events."""
    if not table.has("returns"):
        return None
    given = table.table("returns")
    when, do = conditions(given, "when"), given.text("do", TAKE_BACK)
    if not when:
        raise given.error("when", "name the rows that are returns by one condition or more")
    if do not in (TAKE_BACK, IGNORE, *EVENT_TYPES):
        raise given.error("do", f'must be "{TAKE_BACK}", "{IGNORE}" or an event type, not {do!r}')
    given.refuse_unknown()
    return Returns(when, do)


def exclude(table: TableReader) -> Exclude:
    """``exclude = { item_id = […], title = […] }`` of the items."""
    given = table.table("exclude", required=False)
    found = Exclude(_patterns(given, "item_id"), _patterns(given, "title"))
    given.refuse_unknown()
    if found.title and not table.has("title"):
        raise table.error("exclude", "has patterns of titles, but no title column is named")
    return found


def _values(one: TableReader, test: str) -> tuple[Any, ...]:
    if test == "known":
        return (one.flag(test, True),)
    if test in ("above", "below", "at_least", "at_most"):
        return (one.number(test),)
    if test in ("matches", "matches_not"):
        return _patterns(one, test)
    return tuple(canonical_id(text) for text in one.one_or_more(test))


def _patterns(table: TableReader, key: str) -> tuple[str, ...]:
    given = table.one_or_more(key) if table.has(key) else ()
    for pattern in given:
        if wrong := patterns.problem(pattern):
            raise table.error(key, f"{pattern!r} {wrong}")
    return given


def _mask(array: Any) -> Mask:
    return np.asarray(pc.fill_null(array, False).to_numpy(zero_copy_only=False), dtype=np.bool_)


def _is(cols: Columns, column: str, values: Sequence[Any]) -> Any:
    return pc.is_in(cols.category(column), pa.array(values, pa.string()))


def _matches(cols: Columns, column: str, values: Sequence[Any]) -> Any:
    return patterns.matches(cols.text(column), values)


_TESTS: dict[str, Callable[[Columns, str, Sequence[Any]], Any]] = {
    "is": _is,
    "is_not": lambda cols, column, values: pc.invert(_is(cols, column, values)),
    "matches": _matches,
    "matches_not": lambda cols, column, values: pc.invert(_matches(cols, column, values)),
    "known": lambda cols, column, values: pc.equal(pc.is_valid(cols.text(column)), pa.scalar(values[0])),
    "above": lambda cols, column, values: pc.greater(cols.number(column), values[0]),
    "below": lambda cols, column, values: pc.less(cols.number(column), values[0]),
    "at_least": lambda cols, column, values: pc.greater_equal(cols.number(column), values[0]),
    "at_most": lambda cols, column, values: pc.less_equal(cols.number(column), values[0]),
}
