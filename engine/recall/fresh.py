"""Items that nobody has bought yet: those a release found without events, and those registered after it.

They have no row in the release, so no vector search, neighbour or ranker finds them. They are proposed by
their content and the shopper's history (`new_items.py`, docs/adr/0153), within the quota of `new`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, UserContext
from engine.features.schema import as_number
from engine.ids import canonical_id
from engine.recall.filters import Catalogue, LiveSet, Mask, Rows
from engine.recall.new_items import FloatArray, NewItemModel, Taken
from engine.recall.new_items_store import StoredNewItems, bins_of
from engine.records import record_id
from engine.types import ItemFilter

MOST = 20_000
"""New items looked at, at most: the first ones, whose number bounds a request's time."""


@dataclass(frozen=True)
class _Pool:
    """The P items of one moment, replaced as a whole. `ids` and `place` are added to later: what is beyond P
    is not of this moment."""

    ids: list[str]  # P or more
    place: dict[str, int]
    bins: npt.NDArray[np.int32]  # [P, G]
    prior: FloatArray  # [P]
    catalogue: Catalogue

    def __len__(self) -> int:
        return len(self.prior)


class _Growing:
    """Rows that are added to in place; room for twice as many is made when it is used up."""

    def __init__(self, empty: npt.NDArray[Any]) -> None:
        self._room, self._size = empty, 0

    def add(self, rows: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """All rows, these the last. What was given before stays as it is."""
        end = self._size + len(rows)
        if end > len(self._room):
            held = self._room[: self._size]
            self._room = np.empty((max(end, 2 * len(self._room)), *held.shape[1:]), held.dtype)
            self._room[: self._size] = held
        self._room[self._size : end] = rows
        self._size = end
        return self._room[:end]


class FreshItems:
    """The new items of one release; more can be added while it serves. Thread-safe: whoever asks takes the
    pool of the moment and needs no lock."""

    def __init__(self, stored: StoredNewItems, schema: FeatureSchema, data_end: int) -> None:
        self._model: NewItemModel = stored.model
        self._index, self._schema, self._data_end = stored.index, schema, data_end
        self._lock = Lock()
        nothing = bins_of(stored.model, schema, [])
        self._bins, self._prior = _Growing(nothing), _Growing(np.empty(0, np.float32))
        self._pool = _Pool([], {}, nothing, np.empty(0, np.float32), _catalogue([]))
        self.add(stored.records)

    def __len__(self) -> int:
        return len(self._pool)

    def knows(self, item_id: str) -> bool:
        """Whether the item was in the release's data or has come in since."""
        name = canonical_id(item_id)
        return name in self._index or name in self._pool.place

    def add(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Take in items in the Redis form; those that are there already are passed over. Returns how many
        came in. Costs what these items cost, however many there are; only some plain arrays are copied."""
        with self._lock:
            pool = self._pool
            named: dict[str, Mapping[str, Any]] = {}
            for record in records:
                named.setdefault(record_id(record), record)
            came = [item for item in named if item not in pool.place][: MOST - len(pool)]
            if came:
                self._pool = self._longer(pool, came, [named[item] for item in came])
            return len(came)

    def best(
        self, context: UserContext, item_filter: ItemFilter, live: LiveSet, count: int
    ) -> tuple[list[str], FloatArray]:
        """Ids and scores of the best `count` that may be shown to this shopper, best first."""
        pool = self._pool
        allowed = _allowed(pool, item_filter, live, context)
        places: Rows = np.flatnonzero(allowed)
        if not len(places):
            return [], np.empty(0, np.float32)
        taken = Taken.of(context, self._index, self._schema, self._data_end)
        every = len(places) == len(pool)  # as a rule: then nothing is to be copied
        scores = pool.prior if every else pool.prior[places]
        if len(taken.items):
            scores = scores + self._model.personal(taken, pool.bins if every else pool.bins[places])
        if count < len(scores):
            ahead = np.sort(np.argpartition(-scores, count - 1)[:count])  # equal ones stay in order
            places, scores = places[ahead], scores[ahead]
        order = np.argsort(-scores, kind="stable")
        return [pool.ids[place] for place in places[order].tolist()], scores[order]

    def _longer(self, pool: _Pool, ids: list[str], records: list[Mapping[str, Any]]) -> _Pool:
        """The pool with these items, too. What may fail comes before what is changed."""
        bins = bins_of(self._model, self._schema, records)
        prior = self._model.prior_of(bins)
        catalogue = pool.catalogue.followed_by(_catalogue(records))
        pool.place.update((item, number) for number, item in enumerate(ids, len(pool)))
        pool.ids.extend(ids)
        return _Pool(pool.ids, pool.place, self._bins.add(bins), self._prior.add(prior), catalogue)


def _catalogue(records: Sequence[Mapping[str, Any]]) -> Catalogue:
    prices = [as_number(record.get("price")) for record in records]
    known = np.array([np.nan if price is None else price for price in prices], np.float32)
    return Catalogue(records, known)


def _allowed(pool: _Pool, item_filter: ItemFilter, live: LiveSet, context: UserContext) -> Mask:
    """What may be shown, bool [P]: as for items of the release; what the shopper has taken or dislikes is
    not new to them."""
    allowed: Mask = np.ones(len(pool), np.bool_)
    hidden = {event.item_id for event in context.events if event.type in ("dislike", "purchase")}
    hidden |= item_filter.exclude_item_ids
    if not item_filter.include_unavailable:
        if live.ids is None:
            allowed &= pool.catalogue.available
        elif len(live.ids) <= len(pool):
            hidden |= live.ids
        else:
            allowed &= [item not in live.ids for item in pool.ids[: len(pool)]]
    matching = pool.catalogue.matching(item_filter)
    if matching is not None:
        allowed &= matching
    places = (pool.place.get(item, len(pool)) for item in hidden)
    allowed[[place for place in places if place < len(pool)]] = False
    return allowed
