"""A release made ready for recall: tower, index, catalogue masks and channel lists by row."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import Unavailable
from engine.features import FeatureSchema, HistorySummary, UserContext
from engine.recall.alike import AlikeItems
from engine.recall.content import confirmed_by_purchases
from engine.recall.content_store import read_content
from engine.recall.filters import Catalogue, LiveSet, Mask, Rows
from engine.recall.fresh import FreshItems
from engine.recall.index import Vector
from engine.recall.merge import Found, similar_quotas
from engine.recall.new_items_store import read_new_items
from engine.release import Channel, Release
from engine.types import ItemFilter
from engine.vocabulary import HISTORY_EVENT_TYPES

_WARM_S = 5.0
_DISLIKE, _PURCHASE = HISTORY_EVENT_TYPES.index("dislike"), HISTORY_EVENT_TYPES.index("purchase")


class UserTower(Protocol):
    """The user tower's network."""

    def encode(self, feeds: Mapping[str, npt.NDArray[np.generic]]) -> Vector:
        """float32 [D], L2-normalised. May raise anything."""
        ...


class VectorSearch(Protocol):
    """The nearest items of one release."""

    def nearest(
        self, vector: Vector, top_k: int, allowed: Mask | None, timeout_s: float
    ) -> tuple[Rows, npt.NDArray[np.float32], bool]:
        """Allowed rows int64 [k'], inner products float32 [k'], best first, and whether the index failed and
        exact search stood in. Raises Unavailable if nothing answers."""
        ...


class Registered:
    """Takes in what is registered while a release serves, for all who want it."""

    def __init__(self, takers: Sequence[FreshItems | AlikeItems]) -> None:
        self._takers = takers

    def knows(self, item_id: str) -> bool:
        """Whether nobody wants to hear of it again."""
        return all(taker.knows(item_id) for taker in self._takers)

    def add(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Hand on items in the Redis form; returns how many somebody took."""
        return max(taker.add(records) for taker in self._takers)


class Snapshot:
    """Everything recall reads of one release; safe to share between threads."""

    def __init__(self, release: Release, tower: UserTower, search: VectorSearch) -> None:
        self.name = release.name
        self.schema: FeatureSchema = release.schema
        self.encoder = release.encoder
        self.table = release.items
        self.item_ids: Sequence[str] = release.items.ids
        # In memory, not memory-mapped: reading a mapped array item by item is several times slower
        self.vectors = np.array(release.vectors)
        self.neighbours = np.array(release.neighbours)
        self.neighbour_scores = np.array(release.neighbour_scores)
        self.catalogue = Catalogue(release.catalogue(), release.items.prices)
        self.search = search
        channels = release.channels
        self.lists = {name: self._listed(getattr(channels, name)) for name in ("popular", "trending", "new")}
        self.segments = release.segments.in_memory()
        stored = read_new_items(release)
        self.fresh = FreshItems(stored, self.schema, self.table.data_end) if stored is not None else None
        content = read_content(release)
        self.alike = AlikeItems(content, self.item_ids, self.schema) if content is not None else None
        self.similar_quotas = similar_quotas(
            confirmed_by_purchases(content.rows[: len(self.item_ids)], self.neighbours)
            if content is not None
            else math.nan
        )
        takers = [part for part in (self.fresh, self.alike) if part is not None]
        self.registered = Registered(takers) if takers else None
        self._tower = tower
        self._available = (0, self.catalogue.available)  # version of the live set, mask
        self._lock = Lock()

    def warm(self) -> None:
        """Run everything once, so that the first shopper does not pay for what happens once.

        Raises:
            Unavailable: the user tower fails. The index may be away: exact search stands in for it.
        """
        vector = self.encode_user(UserContext("", {}, (), self.table.data_end + 1))
        with contextlib.suppress(Unavailable):
            self.search.nearest(vector, 10, None, _WARM_S)

    def rows_of(self, item_ids: Sequence[str]) -> Rows:
        """int64 [n], -1 for items the release lacks."""
        return self.table.row_of(item_ids)

    def encode_user(self, context: UserContext, past: HistorySummary | None = None) -> Vector:
        """The shopper's embedding, float32 [D], L2-normalised. Raises Unavailable if the tower fails."""
        try:
            return self._tower.encode(self.encoder.user_tower(context, past))
        except Exception as error:  # ONNX Runtime's error classes are its own and undocumented
            raise Unavailable(f"the user tower failed: {str(error).splitlines()[0]}") from error

    def allowed(self, item_filter: ItemFilter, past: HistorySummary | None, live: LiveSet) -> Mask | None:
        """The rows that may be shown to a shopper, bool [N]; None if all. What they disliked never may."""
        shared = (
            None if item_filter.include_unavailable else self._available_now(live),
            self.catalogue.matching(item_filter),
        )
        masks = [mask for mask in shared if mask is not None]
        hidden = self._hidden(item_filter, past)
        if not masks and not len(hidden):
            return None
        allowed = np.ones(len(self.item_ids), np.bool_) if not masks else masks[0].copy()
        for mask in masks[1:]:
            allowed &= mask
        allowed[hidden] = False
        return allowed

    def _hidden(self, item_filter: ItemFilter, past: HistorySummary | None) -> Rows:
        """Rows hidden from this shopper: asked for, disliked, or bought where the filter says so."""
        hidden = []
        if item_filter.exclude_item_ids:
            rows = self.rows_of(list(item_filter.exclude_item_ids))
            hidden.append(rows[rows >= 0])
        if past is not None and len(past.history.rows):
            types = past.history.types
            gone = types == _DISLIKE
            if item_filter.exclude_purchased:
                gone |= past.positive | (types == _PURCHASE)
            hidden.append(past.history.rows[gone])
        return np.concatenate(hidden) if hidden else np.empty(0, np.int64)

    def _available_now(self, live: LiveSet) -> Mask | None:
        """The shared mask of what can be bought: by the live set once that was read, else the release."""
        version, mask = self._available
        if version != live.version and live.ids is not None:
            rows = self.rows_of(list(live.ids))
            mask = np.ones(len(self.item_ids), np.bool_)
            mask[rows[rows >= 0]] = False
            with self._lock:
                if self._available[0] < live.version:
                    self._available = (live.version, mask)
        return None if mask.all() else mask

    def _listed(self, channel: Channel) -> Found:
        rows = self.rows_of([item for item, _ in channel])
        scores = np.array([score for _, score in channel], np.float32)
        return Found(rows[rows >= 0], scores[rows >= 0])
