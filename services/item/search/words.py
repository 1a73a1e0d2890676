"""Which items have these words: an FTS5 index of SQLite, in memory."""

from __future__ import annotations

import sqlite3
from collections import OrderedDict
from collections.abc import Iterable, Sequence
from threading import Lock
from typing import NamedTuple

import numpy as np
import numpy.typing as npt

from engine.types import Item
from services.item.search.text import words

_CACHED = 128

DESCRIPTION_WORDS = 300
"""Words of a description that are searched: what a text says late is not what it is about."""

_ROWS = "SELECT rowid FROM item WHERE item MATCH ?"

# Words come cut by `text.words`; what SQLite's tokenizer makes of them is the same, word by word.
_CREATE = (
    "CREATE VIRTUAL TABLE item USING fts5"
    "(title, category, brand, description, "
    "tokenize = 'unicode61 remove_diacritics 0', detail = column, prefix = '2 3')"
)


Rows = npt.NDArray[np.int64]


def words_of(item: Item) -> list[list[str]]:
    """The words that an item is found by: of the title, the categories, the brand, the description."""
    about = words(item.description)[:DESCRIPTION_WORDS] if item.description else []
    return [words(item.title), words(" ".join(item.category_path)), words(item.brand), about]


class Matches(NamedTuple):
    """Rows of items that have the words, each int64 and distinct; the later ones are among the first."""

    anywhere: Rows
    named: Rows  # all the words in title, categories and brand
    in_title: Rows  # all the words, the last one perhaps begun
    exactly: Rows  # all the words in the title, none merely begun


class WordIndex:
    """Words of items by row. Thread-safe: one statement at a time."""

    def __init__(self) -> None:
        self._db = sqlite3.connect(":memory:", check_same_thread=False, isolation_level=None)
        self._db.execute(_CREATE)
        self._lock = Lock()
        self._described = False  # whether any item has a description: without, one query less
        self._cache: OrderedDict[str, Matches] = OrderedDict()

    def close(self) -> None:
        """Free the memory; a search in progress ends first."""
        with self._lock:
            self._db.close()

    def put(self, texts: Iterable[tuple[int, Item]]) -> set[str]:
        """Add items, or replace them, at their rows; all their words."""
        seen: set[str] = set()
        records = []
        for row, item in texts:
            parts = words_of(item)
            seen.update(*parts)
            records.append((row, *(" ".join(part) for part in parts)))
        with self._lock:
            self._cache.clear()
            self._described = self._described or any(record[-1] for record in records)
            self._db.execute("BEGIN")
            self._db.executemany("DELETE FROM item WHERE rowid = ?", [(record[0],) for record in records])
            self._db.executemany(
                "INSERT INTO item (rowid, title, category, brand, description) VALUES (?, ?, ?, ?, ?)",
                records,
            )
            self._db.execute("COMMIT")
        return seen

    def match(self, groups: Sequence[Sequence[str]], prefix: str) -> Matches:
        """Items that have one word of each group.

        Args:
            groups: words as `text.words` cuts them.
            prefix: a word that begins so does for the last group too; empty for none.
        """
        expression = _expression(groups, prefix)
        exact = _expression(groups, "")
        with self._lock:
            found = self._cache.get(expression)
            if found is not None:
                self._cache.move_to_end(expression)
                return found
            anywhere, in_title = self._rows(expression), self._rows(f"title : ({expression})")
            named = self._rows(f"{{title category brand}} : ({expression})") if self._described else anywhere
            exactly = self._rows(f"title : ({exact})") if prefix else in_title
            found = Matches(anywhere, named, in_title, exactly)
            self._cache[expression] = found
            while len(self._cache) > _CACHED:
                self._cache.popitem(last=False)
        return found

    def _rows(self, expression: str) -> Rows:
        answer = self._db.execute(_ROWS, (expression,))
        return np.fromiter((row for (row,) in answer), np.int64)


def _expression(groups: Sequence[Sequence[str]], prefix: str) -> str:
    """FTS5's syntax. Words hold letters and digits only, so that quoting them is all the escaping needed."""
    last = len(groups) - 1
    alternatives = []
    for place, group in enumerate(groups):
        terms = [f'"{word}"' for word in group]
        if prefix and place == last:
            terms.append(f'"{prefix}" *')
        alternatives.append(f"({' OR '.join(terms)})")
    return " AND ".join(alternatives)
