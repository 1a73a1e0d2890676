"""Answers searches over one state of the catalogue, and takes in its changes."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.types import Category, Item, SearchQuery
from services.item.search.columns import Columns, Mask, Sorting
from services.item.search.query import Place, page_token, read_token
from services.item.search.text import words
from services.item.search.vocabulary import Vocabulary
from services.item.search.words import WordIndex, words_of

MAX_BRANDS, MAX_CATEGORIES = 20, 50
_PREFIX = 2  # characters that the beginning of a word has at least
_STEPS = 3  # how finely it is told apart how much of a title was asked for, before popularity decides


@dataclass(frozen=True)
class Found:
    """A page of ids, and counts over all that fits."""

    item_ids: list[str]
    next_page_token: str
    total_count: int
    brands: list[tuple[str, int]]
    categories: list[tuple[str, int]]
    corrected_text: str


class _Read(NamedTuple):
    """A query as understood: words to be found together, the beginning of a last one, the text if mended."""

    groups: list[list[str]]
    prefix: str
    corrected: str


class SearchEngine:
    """One catalogue. One thread writes (`put`, `set_…`), any number search."""

    def __init__(self) -> None:
        self._words, self._vocabulary = WordIndex(), Vocabulary()
        self._columns = Columns.empty()

    def close(self) -> None:
        """Free the memory."""
        self._words.close()

    def put(self, items: Sequence[Item], gone: Iterable[str] = ()) -> None:
        """Add or replace items, each given once; forget those that are gone."""
        columns, rows = self._columns.put(items, gone)
        # Words first: a row that the columns do not have yet is not shown.
        self._words.put(zip(rows, items, strict=True))
        for item in items:
            self._vocabulary.add(chain.from_iterable(words_of(item)))
        self._vocabulary.freeze()
        self._columns = columns

    def set_unavailable(self, item_ids: Iterable[str]) -> None:
        """Exactly these cannot be bought."""
        self._columns = self._columns.with_unavailable(item_ids)

    def set_popularity(self, popularity: Mapping[str, float]) -> None:
        """How much each item is bought."""
        self._columns = self._columns.with_popularity(popularity)

    def __len__(self) -> int:
        return int(self._columns.exists.sum())

    def categories(self, depth: int) -> tuple[Category, ...]:
        """The tree of what is available."""
        return self._columns.categories(depth)

    def search(self, query: SearchQuery) -> Found:
        """One page. The query is checked, but for its token, which may raise InvalidArgument."""
        place = read_token(query)
        columns = self._columns
        mask = _filtered(columns, query)
        # How well each row fits, the lower the better: small numbers sort quickly
        fits = np.zeros(len(columns), np.int8)
        corrected = ""
        if query.text.strip():
            read = self._read(query.text)
            corrected = read.corrected
            mask = mask & self._matching(columns, read, fits)
        order = query.order or ("relevance" if query.text.strip() else "popularity")
        if order != "relevance":
            fits[:] = 0
        sorting = columns.sorting(order)
        rows = sorting.rows[mask[sorting.rows]]
        if order == "relevance":
            rows = rows[np.argsort(fits[rows], kind="stable")]
        total = len(rows)
        if place is not None:
            rows = rows[_after(columns, rows, fits, sorting, place)]
        page = rows[: query.page_size]
        token = ""
        if len(rows) > len(page):
            last = int(page[-1])
            token = page_token(
                query,
                Place(
                    int(fits[last]),
                    float(sorting.first[last]),
                    float(sorting.second[last]),
                    columns.ids.by_row[last],
                ),
            )
        level = len(query.category_path)
        next_level = columns.nodes[:, level] if level < columns.nodes.shape[1] else None
        return Found(
            [columns.ids.by_row[row] for row in page.tolist()],
            token,
            total,
            columns.counts(mask, columns.brand, columns.brands, MAX_BRANDS),
            columns.counts(mask, next_level, columns.tree, MAX_CATEGORIES) if next_level is not None else [],
            corrected,
        )

    def _read(self, text: str) -> _Read:
        """Words as they are if there are such, else what they begin, else what was probably meant."""
        typed = words(text)
        vocabulary = self._vocabulary
        groups: list[list[str]] = []
        shown: list[str] = []
        prefix = ""
        for place, word in enumerate(typed):
            known = vocabulary.known(word)
            begun = vocabulary.beginning(word) if len(word) >= _PREFIX else []
            if place == len(typed) - 1 and begun:
                prefix = word  # it may still be being typed
            elif not known and begun:
                known = begun
            elif not known:
                word = vocabulary.mended(word)  # noqa: PLW2901
                known = vocabulary.known(word)
            groups.append(known or [word])
            shown.append(word)
        return _Read(groups, prefix, " ".join(shown) if shown != typed else "")

    def _matching(self, columns: Columns, read: _Read, fits: npt.NDArray[np.int8]) -> Mask:
        """Rows that have all the words; how well they fit is written into `fits`."""
        mask = np.zeros(len(columns), np.bool_)
        if not read.groups:
            return mask  # signs only
        matches = self._words.match(read.groups, read.prefix)
        # The words may be ahead of the columns by a moment
        anywhere, named, in_title, exactly = (rows[rows < len(columns)] for rows in matches)
        mask[anywhere] = True
        fits[named] = -1
        fits[in_title] = -2
        share = np.minimum(len(read.groups) / columns.title_words[exactly], 1.0)
        fits[exactly] = -3 - np.floor(share * _STEPS).astype(np.int8)
        return mask


def _filtered(columns: Columns, query: SearchQuery) -> Mask:
    mask = columns.exists if query.include_unavailable else columns.exists & columns.available
    if query.category_path:
        number = columns.tree.paths.get(query.category_path, -2)
        mask = mask & (columns.nodes[:, len(query.category_path) - 1] == number)
    if query.brands:
        numbers = [columns.brands.paths.get((brand,), -2) for brand in query.brands]
        mask = mask & np.isin(columns.brand, numbers)
    if query.variant_of:
        mask = mask & (columns.parent == columns.parents.paths.get((query.variant_of,), -2))
    # NaN compares false: an item without a price is left out as soon as either bound is given
    if query.price_min is not None:
        mask = mask & (columns.price >= query.price_min)
    if query.price_max is not None:
        mask = mask & (columns.price <= query.price_max)
    return mask


def _after(
    columns: Columns, rows: npt.NDArray[np.int64], fits: npt.NDArray[np.int8], sorting: Sorting, place: Place
) -> Mask:
    fit = fits[rows].astype(np.int64)
    later = columns.after(rows, sorting, place.first, place.second, place.item_id)
    after: Mask = (fit > place.fit) | ((fit == place.fit) & later)
    return after
