"""The shop's categories as a tree with addresses, kept in the process for a minute.

An address is made of slugs (`/c/grocery/cold-cereal`): readable, and stable as long as the names are.
"""

from __future__ import annotations

import re
import time
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import structlog

from engine.errors import EcrsError
from engine.types import Category
from services.common.ports import ItemPort

DEPTH = 3  # levels shown; what lies deeper is found by its facet
FRESH_S = 60.0
RETRY_S = 5.0
_NOT_A_WORD = re.compile(r"[^\w]+")
log = structlog.get_logger("webapp.categories")


@dataclass(frozen=True)
class Place:
    """A category: its names and slugs from the root, the items at and below it, what lies below."""

    path: tuple[str, ...]
    slugs: tuple[str, ...]
    item_count: int
    children: tuple[Place, ...] = ()

    @property
    def name(self) -> str:
        """The last of its names; empty for the root."""
        return self.path[-1] if self.path else ""

    @property
    def url(self) -> str:
        """Its page."""
        return "/c/" + "/".join(self.slugs)


class CategorySource:
    """Asks the item service at most once a minute; during an outage the last tree stays."""

    def __init__(self, items: ItemPort, timeout_s: float) -> None:
        self._items = items
        self._timeout_s = timeout_s
        self._root = Place((), (), 0)
        self._read_again_at = 0.0
        self._was_read = False

    def root(self) -> Place:
        """The tree; without children when none could ever be read. Never an EcrsError."""
        now = time.monotonic()
        if now >= self._read_again_at:
            # Set before asking: while one request waits for the answer, the others use the last tree.
            self._read_again_at = now + RETRY_S
            try:
                self._root = tree(self._items.list_categories(DEPTH, self._timeout_s))
            except EcrsError as error:
                log.warning("categories.not_read", error=type(error).__name__, message=str(error))
            else:
                self._was_read = True
                self._read_again_at = now + FRESH_S
        return self._root

    def none_exist(self) -> bool:
        """Whether the shop has no categories, as far as known: not that they could not be read."""
        return not self.root().children and self._was_read

    def trail(self, slugs: Sequence[str]) -> list[Place] | None:
        """The places from the first level down to this address; None when there is no such category."""
        passed = _walk(self.root(), slugs, lambda place: place.slugs[-1])
        return passed if len(passed) == len(slugs) else None

    def trail_of(self, path: Sequence[str]) -> list[Place]:
        """The places of a product's category path, as far down as the tree goes."""
        return _walk(self.root(), path, lambda place: place.name)


def tree(categories: Sequence[Category]) -> Place:
    """The root of the categories, with an address for each."""
    return Place((), (), sum(one.item_count for one in categories), tuple(_places((), (), categories)))


def slug(name: str) -> str:
    """A name as a part of an address: letters and digits of any script, the rest as hyphens."""
    plain = unicodedata.normalize("NFKC", name).casefold()
    return _NOT_A_WORD.sub("-", plain).strip("-_") or "other"


def _places(path: tuple[str, ...], slugs: tuple[str, ...], categories: Sequence[Category]) -> Iterator[Place]:
    taken: dict[str, int] = {}
    own: dict[str, str] = {}
    for name in sorted(one.name for one in categories):  # by name, so that an order by size moves no address
        base = slug(name)
        taken[base] = taken.get(base, 0) + 1
        own[name] = base if taken[base] == 1 else f"{base}-{taken[base]}"
    for one in categories:
        here, there = (*path, one.name), (*slugs, own[one.name])
        yield Place(here, there, one.item_count, tuple(_places(here, there, one.children)))


def _walk(root: Place, steps: Sequence[str], key: Callable[[Place], str]) -> list[Place]:
    """The places passed until a step leads nowhere."""
    passed: list[Place] = []
    for step in steps:
        below = passed[-1] if passed else root
        found = next((child for child in below.children if key(child) == step), None)
        if found is None:
            break
        passed.append(found)
    return passed
