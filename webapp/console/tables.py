"""Tables that are sorted and paged here, by links: no script is needed."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlencode

from flask import g, request
from markupsafe import Markup
from werkzeug.datastructures import MultiDict

ROWS = 25
Sortable = str | float | None


@dataclass(frozen=True)
class Column:
    """`kind`: text, number (right-aligned), code (monospace) or wide (takes what is left)."""

    key: str
    label: str
    kind: str = "text"
    sortable: bool = True


@dataclass(frozen=True)
class Cell:
    """`shown` stands there, `by` is sorted by (None: last, whichever way); `href` makes a link."""

    shown: str | Markup
    by: Sortable = None
    href: str = ""


Row = Mapping[str, Cell]


@dataclass(frozen=True)
class Head:
    """A column's head: where sorting by it leads, and how it is sorted now (aria-sort)."""

    column: Column
    url: str
    sorted: str


@dataclass(frozen=True)
class Table:
    """One page of sorted rows. `name` keeps two tables of a page apart in the address."""

    name: str
    caption: str
    heads: tuple[Head, ...]
    rows: tuple[Row, ...]
    total: int
    page: int
    pages: int

    @property
    def first(self) -> int:
        """Number of the first row shown, from 1."""
        return (self.page - 1) * ROWS + 1

    @property
    def last(self) -> int:
        """Number of the last row shown."""
        return self.first + len(self.rows) - 1

    def url(self, page: int) -> str:
        """The address of a page of it."""
        return address({f"{self.name}_page": str(page)}, self.name)

    def page_links(self) -> Iterator[int]:
        """First, last and those around the current page; 0 stands for a gap."""
        before = 0
        for page in range(1, self.pages + 1):
            if page in (1, self.pages) or abs(page - self.page) <= 2:
                if page - before > 1:
                    yield 0
                yield page
                before = page


def make_table(name: str, caption: str, columns: Sequence[Column], rows: Sequence[Row]) -> Table:
    """The page that the address asks for: `<name>_sort` (a key, with - before it descending), `<name>_page`.

    What the address says wrong is taken as not said.
    """
    asked = request.args.get(f"{name}_sort", "")
    by, down = asked.lstrip("-"), asked.startswith("-")
    if not any(column.key == by and column.sortable for column in columns):
        by = ""
    ordered = _sorted(rows, by, down) if by else list(rows)
    pages = max(1, math.ceil(len(ordered) / ROWS))
    page = min(_page(request.args.get(f"{name}_page", "")), pages)
    heads = []
    for column in columns:
        now = ("descending" if down else "ascending") if column.key == by else "none"
        turn = f"-{column.key}" if _next_is_descending(column, now) else column.key
        url = address({f"{name}_sort": turn, f"{name}_page": None}, name) if column.sortable else ""
        heads.append(Head(column, url, now))
    start = (page - 1) * ROWS
    return Table(name, caption, tuple(heads), tuple(ordered[start : start + ROWS]), len(ordered), page, pages)


def address(changes: Mapping[str, str | None], anchor: str = "") -> str:
    """This page's address with some arguments changed; None takes one out."""
    arguments: MultiDict[str, str] = MultiDict(request.args.items(multi=True))
    for name, value in changes.items():
        arguments.poplist(name)
        if value is not None:
            arguments.add(name, value)
    query = urlencode([(name, value) for name, value in arguments.items(multi=True) if value])
    return (
        f"{g.get('console_path', request.path)}{'?' if query else ''}{query}{'#' if anchor else ''}{anchor}"
    )


def _next_is_descending(column: Column, now: str) -> bool:
    """Numbers show the largest first, texts begin with A; a second click turns it."""
    if now == "none":
        return column.kind == "number"
    return now == "ascending"


def _sorted(rows: Sequence[Row], by: str, down: bool) -> list[Row]:
    known = [row for row in rows if row[by].by is not None]
    unknown = [row for row in rows if row[by].by is None]
    return sorted(known, key=lambda row: _sort_key(row[by].by), reverse=down) + unknown


def _sort_key(value: Sortable) -> tuple[bool, float, str]:
    """Numbers before texts, texts without regard to case."""
    if isinstance(value, str):
        return True, 0.0, value.casefold()
    return False, float(value or 0.0), ""


def _page(text: str) -> int:
    return int(text) if text.isascii() and text.isdigit() and 0 < len(text) < 7 and int(text) > 0 else 1
