"""What filters, orders and counts need of the items, as arrays by row.

Legend: N items. Arrays are replaced, never changed: a reader keeps what it began with.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt

from engine.types import Category, Item
from services.item.search.text import words

MAX_LEVELS = 8

T = TypeVar("T", bound=np.generic)
Rows = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]
Doubles = npt.NDArray[np.float64]


class Tree:
    """Distinct category paths, numbered; brands likewise. Only grows; one thread adds, any number read."""

    def __init__(self) -> None:
        self.paths: dict[tuple[str, ...], int] = {}
        self.names: list[tuple[str, ...]] = []

    def number(self, path: tuple[str, ...]) -> int:
        """The number of a path, new or known."""
        found = self.paths.get(path)
        if found is None:
            self.names.append(path)
            found = self.paths[path] = len(self.names) - 1
        return found


class Sorting(NamedTuple):
    """An order: `rows` int64 [N] from first to last; `first`, `second` float64 [N] by row, its keys, rising.
    Equal keys go by id."""

    rows: Rows
    first: Doubles
    second: Doubles


class Ids:
    """Ids by row. Only grows; one thread adds, any number read."""

    def __init__(self) -> None:
        self.by_row: list[str] = []
        self.row_of: dict[str, int] = {}
        self._order: tuple[list[str], Rows] = ([], np.empty(0, np.int64))

    def row(self, item_id: str) -> int:
        """The row of an id, new or known."""
        found = self.row_of.setdefault(item_id, len(self.by_row))
        if found == len(self.by_row):
            self.by_row.append(item_id)
        return found

    def rows(self, item_ids: Iterable[str]) -> list[int]:
        """The rows of those ids that are known."""
        return [self.row_of[item_id] for item_id in item_ids if item_id in self.row_of]

    def order(self, n: int) -> tuple[list[str], Rows]:
        """The first `n` ids sorted, and the place of each row among them, int64 [n]."""
        order = self._order
        if len(order[0]) != n:
            rows = sorted(range(n), key=self.by_row.__getitem__)
            places = np.empty(n, np.int64)
            places[rows] = np.arange(n)
            order = self._order = ([self.by_row[row] for row in rows], places)
        return order


@dataclass(frozen=True)
class Columns:
    """The catalogue. Build with `Columns.empty().put(…)`."""

    ids: Ids
    tree: Tree
    brands: Tree
    price: Doubles  # NaN = unknown
    listed: Doubles  # ms; 0 = unknown
    brand: npt.NDArray[np.int32]  # number in `brands`, -1 = none
    parents: Tree  # ids of the items that others are variants of
    parent: npt.NDArray[np.int32]  # number in `parents`, -1 = no variant
    nodes: npt.NDArray[np.int32]  # [N, MAX_LEVELS] number in `tree` of each level, -1 = none
    exists: Mask
    available: Mask
    popularity: Doubles
    title_words: Doubles  # how many words the title has, at least 1
    _sortings: dict[str, Sorting] = field(default_factory=dict, repr=False)

    @classmethod
    def empty(cls) -> Columns:
        """Of no item."""
        return cls(
            Ids(), Tree(), Tree(), np.empty(0), np.empty(0), np.empty(0, np.int32), Tree(),
            np.empty(0, np.int32), np.empty((0, MAX_LEVELS), np.int32), np.empty(0, np.bool_),
            np.empty(0, np.bool_), np.empty(0), np.empty(0),
        )  # fmt: skip

    def put(self, items: Sequence[Item], gone: Iterable[str] = ()) -> tuple[Columns, list[int]]:
        """Columns with these items added or replaced, and the row of each; without those that are gone."""
        rows = [self.ids.row(item.item_id) for item in items]
        n = len(self.ids.by_row)
        at = np.array(rows, np.int64)
        nodes = np.full((len(items), MAX_LEVELS), -1, np.int32)
        for place, item in enumerate(items):
            for level in range(min(len(item.category_path), MAX_LEVELS)):
                nodes[place, level] = self.tree.number(item.category_path[: level + 1])
        exists = _changed(self.exists, n, at, True, fill=False)
        exists[self.ids.rows(gone)] = False
        prices = [np.nan if item.price is None else item.price for item in items]
        changed = replace(
            self,
            price=_changed(self.price, n, at, prices, fill=np.nan),
            listed=_changed(self.listed, n, at, [item.listed_at_ms for item in items], fill=0),
            brand=_changed(
                self.brand,
                n,
                at,
                [self.brands.number((item.brand,)) if item.brand else -1 for item in items],
                fill=-1,
            ),
            parent=_changed(
                self.parent,
                n,
                at,
                [self.parents.number((item.variant_of,)) if item.variant_of else -1 for item in items],
                fill=-1,
            ),
            nodes=_changed(self.nodes, n, at, nodes, fill=-1),
            exists=exists,
            available=_changed(self.available, n, at, [item.available for item in items], fill=False),
            popularity=_changed(self.popularity, n, at[:0], [], fill=0.0),
            title_words=_changed(
                self.title_words, n, at, [max(len(words(item.title)), 1) for item in items], fill=1.0
            ),
            _sortings={},
        )
        return changed, rows

    def with_unavailable(self, item_ids: Iterable[str]) -> Columns:
        """All available but these."""
        available = np.ones(len(self), np.bool_)
        available[self.ids.rows(item_ids)] = False
        return self if np.array_equal(available, self.available) else replace(self, available=available)

    def with_popularity(self, popularity: Mapping[str, float]) -> Columns:
        """How much each item is bought; 0 for those not named."""
        values = np.zeros(len(self))
        for item_id, value in popularity.items():
            row = self.ids.row_of.get(item_id)
            if row is not None:
                values[row] = value
        return replace(self, popularity=values, _sortings={})

    def __len__(self) -> int:
        return len(self.price)

    def sorting(self, order: str) -> Sorting:
        """One of `engine.types.SEARCH_ORDERS`; "relevance" is by popularity here."""
        found = self._sortings.get(order)
        if found is None:
            first, second = _KEYS[order](self), -self.popularity
            rows = np.lexsort((self.ids.order(len(self))[1], second, first)).astype(np.int64)
            found = self._sortings[order] = Sorting(rows, first, second)
        return found

    def after(self, rows: Rows, sorting: Sorting, first: float, second: float, item_id: str) -> Mask:
        """Which of `rows` come after the given place."""
        key, tie = sorting.first[rows], sorting.second[rows]
        sorted_ids, places = self.ids.order(len(self))
        later_id = places[rows] >= bisect_right(sorted_ids, item_id)
        later: Mask = (key > first) | ((key == first) & ((tie > second) | ((tie == second) & later_id)))
        return later

    def counts(
        self, mask: Mask, column: npt.NDArray[np.int32], names: Tree, most: int
    ) -> list[tuple[str, int]]:
        """How often each value of a column is among the rows of a mask, most frequent first."""
        values = column[mask]
        counts = np.bincount(values[values >= 0], minlength=0)
        named = [(names.names[number][-1], int(counts[number])) for number in np.flatnonzero(counts).tolist()]
        return sorted(named, key=lambda pair: (-pair[1], pair[0]))[:most]

    def categories(self, depth: int) -> tuple[Category, ...]:
        """The tree of what is available, down to `depth` levels, most items first."""
        shown = self.exists & self.available
        children: dict[tuple[str, ...], list[tuple[tuple[str, ...], int]]] = {}
        for level in range(depth):
            values = self.nodes[shown, level]
            counts = np.bincount(values[values >= 0])
            for number in np.flatnonzero(counts).tolist():
                path = self.tree.names[number]
                children.setdefault(path[:-1], []).append((path, int(counts[number])))

        def below(path: tuple[str, ...]) -> tuple[Category, ...]:
            found = sorted(children.get(path, ()), key=lambda pair: (-pair[1], pair[0]))
            return tuple(Category(child[-1], count, below(child)) for child, count in found)

        return below(())


_KEYS: Mapping[str, Callable[[Columns], Doubles]] = {
    "relevance": lambda columns: -columns.popularity,
    "popularity": lambda columns: -columns.popularity,
    "newest": lambda columns: -columns.listed,
    "price_ascending": lambda columns: np.where(np.isnan(columns.price), np.inf, columns.price),
    "price_descending": lambda columns: np.where(np.isnan(columns.price), np.inf, -columns.price),
}


def _changed(
    before: npt.NDArray[T], n: int, rows: Rows, values: npt.ArrayLike, *, fill: float
) -> npt.NDArray[T]:
    """A copy of length `n`, new rows filled, with `values` at `rows`."""
    after = np.full((n, *before.shape[1:]), fill, before.dtype)
    after[: len(before)] = before
    after[rows] = values
    return after
