"""One release in memory: what every stage of a process reads, immutable and shared between threads.

Arrays stay mapped from the release's files, so that processes of one machine share their pages. What a stage
does not ask for is not read.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from threading import Lock
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.candidates import Candidates, RecallResult
from engine.errors import Unavailable
from engine.features import FeatureEncoder, FeatureSchema, HistorySummary, ItemTable, UserContext
from engine.recall.alike import AlikeItems
from engine.recall.content import confirmed_by_purchases
from engine.recall.content_store import read_content
from engine.recall.filters import Catalogue, LiveSet, Mask, Rows
from engine.recall.fresh import FreshItems
from engine.recall.index import Vector
from engine.recall.merge import Found, Quotas, merge, similar_quotas
from engine.recall.new_items_store import read_new_items
from engine.recall.segments import Segments
from engine.release import Channel, Release
from engine.types import ItemFilter
from engine.vocabulary import EVENT_CODE

_WARM_S = 5.0
_DISLIKE, _PURCHASE = EVENT_CODE["dislike"], EVENT_CODE["purchase"]


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

    def close(self) -> None:
        """Give everything back; safe to call twice."""


class SnapshotIds:
    """The ids of a snapshot's rows, and of new items, whose rows come after its last one."""

    def __init__(self, release: str, table: ItemTable, new_ids: Sequence[str] = ()) -> None:
        self.release = release
        self._table, self._new, self._count = table, new_ids, len(table)

    @property
    def new_ids(self) -> Sequence[str]:
        """Of the rows from `len(table)` on."""
        return self._new

    def __getitem__(self, row: int, /) -> str:
        return self._table.ids[row] if row < self._count else self._new[row - self._count]

    def row_of(self, ids: Iterable[str]) -> Rows:
        """See `ItemIds`."""
        listed = list(ids)
        rows = self._table.row_of(listed)
        if self._new:
            for place in np.flatnonzero(rows < 0).tolist():
                if listed[place] in self._new:
                    rows[place] = self._count + self._new.index(listed[place])
        return rows


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
    """One release, or the state of knowledge at a moment of training.

    Args:
        name: of the release; "" for a moment of training.
        table: items, their features, statistics and neighbours.
        vectors: float32 [N, D], L2-normalised.
        lists: the channels `popular`, `trending` and `new`, by name.
        segments: what profiles say about items.
        release: what the parts that few stages need are read from; None: they are not there.
        tower, search: the networks that recall asks; None where no stage asks them.
    """

    def __init__(
        self,
        name: str,
        table: ItemTable,
        vectors: npt.NDArray[np.float32],
        lists: Mapping[str, Found],
        segments: Segments,
        *,
        release: Release | None = None,
        tower: UserTower | None = None,
        search: VectorSearch | None = None,
    ) -> None:
        self.name, self.table, self.vectors = name, table, vectors
        self.schema: FeatureSchema = table.schema
        self.encoder = FeatureEncoder(table.schema, table, None if release is None else release.rank_feeds)
        self.lists, self.segments = lists, segments
        self.ids = SnapshotIds(name, table)
        self._release, self._tower, self._search = release, tower, search
        self._unavailable: tuple[int, Mask | None] = (0, None)  # version of the live set, mask of the others
        self._lock = Lock()

    @classmethod
    def of(
        cls, release: Release, tower: UserTower | None = None, search: VectorSearch | None = None
    ) -> Snapshot:
        """A release on disk."""
        table, channels = release.items, release.channels
        lists = {name: _listed(table, getattr(channels, name)) for name in ("popular", "trending", "new")}
        return cls(
            release.name,
            table,
            release.vectors,
            lists,
            release.segments,
            release=release,
            tower=tower,
            search=search,
        )

    @cached_property
    def catalogue(self) -> Catalogue | None:
        """What filters by category, brand and price need; None for a moment of training."""
        return Catalogue(self._release.catalogue(), self.table.prices) if self._release else None

    @cached_property
    def fresh(self) -> FreshItems | None:
        """Items that nobody has bought yet; None where the release has no model of them."""
        stored = read_new_items(self._release) if self._release else None
        return FreshItems(stored, self.schema, self.table.data_end) if stored is not None else None

    @cached_property
    def alike(self) -> AlikeItems | None:
        """Items alike by what is written about them; None where nothing is written."""
        content = read_content(self._release) if self._release else None
        return AlikeItems(content, self.table.ids, self.schema) if content is not None else None

    @cached_property
    def similar_quotas(self) -> Quotas:
        """Quotas of the channels of similar items."""
        if self.alike is None or self.table.neighbours is None:
            return similar_quotas(math.nan)
        return similar_quotas(
            confirmed_by_purchases(self.alike.rows[: len(self.table)], self.table.neighbours)
        )

    @cached_property
    def registered(self) -> Registered | None:
        """What takes in items registered since; None where nothing does."""
        takers = [part for part in (self.fresh, self.alike) if part is not None]
        return Registered(takers) if takers else None

    @cached_property
    def leaf_categories(self) -> Rows:
        """A number for the deepest category of each item, int64 [N]; equal hash buckets count as one
        category, 0 = unknown."""
        slots = self.schema.item_slots
        leaf = np.zeros(len(self.table), np.int64)
        for column, slot in enumerate(slots):
            if slot.name.startswith("category_"):
                codes = np.asarray(self.table.features[:, column])
                # a bucket number means another category at each level; the levels come from the root down
                leaf = np.where(codes > 0, codes * len(slots) + column, leaf)
        return leaf

    def categories_of(self, candidates: Candidates) -> Rows:
        """The `leaf_categories` of candidates, int64 [k], of this release or named by their ids."""
        rows = candidates.rows
        if candidates.ids.release != self.name:
            rows = self.table.row_of(candidates.item_ids())
        known = (rows >= 0) & (rows < len(self.table))
        return np.where(known, self.leaf_categories[np.where(known, rows, 0)], 0)

    def popular(self, count: int) -> RecallResult:
        """The best sellers, to begin with while recall is away."""
        found = {"popular": self.lists["popular"]}
        candidates: Candidates = merge(found, Quotas(), count, self.ids)
        return RecallResult(candidates, self.name)

    def warm(self) -> None:
        """Read and run everything that recall needs once, so that the first shopper does not pay for it.

        Raises:
            Unavailable: the user tower fails. The index may be away: exact search stands in for it.
        """
        _ = self.catalogue, self.registered, self.similar_quotas
        vector = self.encode_user(UserContext("", {}, (), self.table.data_end + 1))
        if self._search is not None:
            with contextlib.suppress(Unavailable):
                self._search.nearest(vector, 10, None, _WARM_S)

    def encode_user(self, context: UserContext, past: HistorySummary | None = None) -> Vector:
        """The shopper's embedding, float32 [D], L2-normalised. Raises Unavailable if the tower fails."""
        if self._tower is None:
            raise Unavailable("no user tower is loaded here")
        try:
            return self._tower.encode(self.encoder.user_tower(context, past))
        except Exception as error:  # a network library's error classes are its own
            raise Unavailable(f"the user tower failed: {str(error).splitlines()[0]}") from error

    def nearest(
        self, vector: Vector, top_k: int, allowed: Mask | None, timeout_s: float
    ) -> tuple[Rows, npt.NDArray[np.float32], bool]:
        """See `VectorSearch.nearest`."""
        if self._search is None:
            raise Unavailable("no vector index is loaded here")
        return self._search.nearest(vector, top_k, allowed, timeout_s)

    def allowed(self, item_filter: ItemFilter, past: HistorySummary | None, live: LiveSet) -> Mask | None:
        """The rows that may be shown to a shopper, bool [N]; None if all. What they disliked never may."""
        shared = (
            None if item_filter.include_unavailable else self._available_now(live),
            self.catalogue.matching(item_filter) if self.catalogue else None,
        )
        masks = [mask for mask in shared if mask is not None]
        hidden = self._hidden(item_filter, past)
        if not masks and not len(hidden):
            return None
        allowed = np.ones(len(self.table), np.bool_) if not masks else masks[0].copy()
        for mask in masks[1:]:
            allowed &= mask
        allowed[hidden] = False
        return allowed

    def _hidden(self, item_filter: ItemFilter, past: HistorySummary | None) -> Rows:
        """Rows hidden from this shopper: asked for, disliked, or bought where the filter says so."""
        hidden = []
        if item_filter.exclude_item_ids:
            rows = self.table.row_of(item_filter.exclude_item_ids)
            hidden.append(rows[rows >= 0])
        if past is not None and len(past.history.rows):
            types = past.history.types
            gone = types == _DISLIKE
            if item_filter.exclude_purchased:
                gone |= past.positive | (types == _PURCHASE)
            hidden.append(past.history.rows[gone])
        return np.concatenate(hidden) if hidden else np.empty(0, np.int64)

    def _available_now(self, live: LiveSet) -> Mask | None:
        """The mask of what can be bought: by the live set once that was read, else as the release says."""
        if live.ids is None:
            mask = self.catalogue.available if self.catalogue else None
        else:
            version, mask = self._unavailable
            if version != live.version:
                rows = self.table.row_of(live.ids)
                mask = np.ones(len(self.table), np.bool_)
                mask[rows[rows >= 0]] = False
                with self._lock:
                    if self._unavailable[0] < live.version:
                        self._unavailable = (live.version, mask)
        return None if mask is None or mask.all() else mask


def _listed(table: ItemTable, channel: Channel) -> Found:
    rows = table.row_of([item for item, _ in channel])
    scores = np.array([score for _, score in channel], np.float32)
    return Found(rows[rows >= 0], scores[rows >= 0])
