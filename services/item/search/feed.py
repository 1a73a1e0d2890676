"""Keeps the search up to date: built from Redis at the start and after each load, then change by change."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Protocol, TypeVar

import structlog

from engine.errors import EcrsError, Unavailable
from engine.types import Item
from services.common.follower import Follower
from services.item.search.engine import SearchEngine

POLL_S = 0.5
_RETRY_S = 1.0
_BATCH = 1_000
_BREATH_S = 0.002  # between two batches of a build, in which requests are served

log = structlog.get_logger(__name__)

T = TypeVar("T")


@dataclass(frozen=True)
class Changes:
    """What happened since a cursor: the generation of the items, what was written and cannot be bought.

    ``complete``: whether ``item_ids`` is all that was written; more than is remembered may have been."""

    generation: str
    cursor: str
    item_ids: tuple[str, ...]
    unavailable: frozenset[str]
    complete: bool = True


class Catalogue(Protocol):
    """Where the items are. All raise Unavailable."""

    def changes(self, cursor: str) -> Changes:
        """What was written after `cursor`; "" gives a cursor to begin with."""
        ...

    def items(self, item_ids: Sequence[str]) -> list[Item | None]: ...

    def ids_after(self, item_id: str, count: int) -> list[str]: ...


@dataclass(frozen=True)
class Popularity:
    """How much each item is bought, of one release."""

    release: str
    of: Mapping[str, float]


NO_POPULARITY = Popularity("", {})


class SearchFeed:
    """Owns the engine that is current.

    Args:
        popularity: the newest; may be slow, and may raise EcrsError while there is none.
    """

    def __init__(
        self,
        catalogue: Catalogue,
        popularity: Callable[[], Popularity],
        poll_s: float = POLL_S,
        make: Callable[[], SearchEngine] = SearchEngine,
    ) -> None:
        self._catalogue, self._popularity, self._make = catalogue, popularity, make
        self._engine: SearchEngine | None = None
        self._retired: SearchEngine | None = None
        self._seen = Changes("", "", (), frozenset())
        self._weights = NO_POPULARITY
        self._follower = Follower(
            "search-feed", "search.not_refreshed", self.refresh, poll_s, retry_s=_RETRY_S
        )

    def open(self) -> SearchFeed:
        """Start building in a thread of its own."""
        self._follower.open()
        return self

    def close(self) -> None:
        """Stop following, and free the index."""
        self._follower.close()
        for engine in (self._engine, self._retired):
            if engine is not None:
                engine.close()
        self._engine = self._retired = None

    @property
    def engine(self) -> SearchEngine:
        """The current index. Raises Unavailable until the first is built."""
        engine = self._engine
        if engine is None:
            raise Unavailable("the search index is still being built: try again in some seconds")
        return engine

    def refresh(self) -> None:
        """Take in what changed; build anew after a load or too many changes. Raises Unavailable."""
        seen = self._seen
        found = self._catalogue.changes(seen.cursor)
        if self._engine is None or found.generation != seen.generation or not found.complete:
            # From before the first item is read: what is written meanwhile is read again afterwards.
            self._build(self._catalogue.changes(""))
            return
        if found.item_ids:
            self._take(self._engine, found.item_ids)
        if found.item_ids or found.unavailable != seen.unavailable:
            self._engine.set_unavailable(found.unavailable)
        weights = self._newest_weights()
        if found.item_ids or weights.release != self._weights.release:
            self._weights = weights
            self._engine.set_popularity(weights.of)
        self._seen = found

    def _build(self, begin: Changes) -> None:
        started = time.monotonic()
        engine = self._make()
        everything: list[Item] = []
        for ids in self._pages():
            everything += [item for item in self._catalogue.items(ids) if item is not None]
            if self._follower.rest(_BREATH_S):
                return
        for batch in _chunks(iter(everything)):
            engine.put(batch)
            if self._follower.rest(_BREATH_S):
                return
        engine.set_unavailable(begin.unavailable)
        self._weights = self._newest_weights()
        engine.set_popularity(self._weights.of)
        if self._retired is not None:
            self._retired.close()
        # The one before may still be searched by requests in progress: it is closed at the next load.
        self._retired, self._engine, self._seen = self._engine, engine, begin
        seconds = round(time.monotonic() - started, 2)
        log.info("search.built", items=len(engine), generation=begin.generation, seconds=seconds)

    def _pages(self) -> Iterator[list[str]]:
        last = ""
        while ids := self._catalogue.ids_after(last, _BATCH):
            yield ids
            last = ids[-1]

    def _take(self, engine: SearchEngine, item_ids: Sequence[str]) -> None:
        for ids in _chunks(iter(dict.fromkeys(item_ids))):
            items = self._catalogue.items(ids)
            gone = [item_id for item_id, item in zip(ids, items, strict=True) if item is None]
            engine.put([item for item in items if item is not None], gone)

    def _newest_weights(self) -> Popularity:
        try:
            return self._popularity()
        except EcrsError:
            return self._weights  # no release is loaded yet


def _chunks(values: Iterator[T]) -> Iterator[list[T]]:
    while chunk := list(islice(values, _BATCH)):
        yield chunk
