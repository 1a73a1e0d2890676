"""The recall channels: each a function from a request to what it found, and one line in `REGISTRY`.

A channel may raise `Unavailable`: the others then fill the list. Legend: n found, s sources, K neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np

from engine.errors import Unavailable
from engine.features import HistorySummary, UserContext
from engine.recall.filters import LiveSet, Mask, Rows
from engine.recall.merge import Found
from engine.recall.repeat import bought_again as repeat_rows
from engine.recall.session import session_items
from engine.snapshot import Snapshot
from engine.types import NO_FILTER, ItemFilter

_SESSION_NEIGHBOURS = 8  # of each of the session's items
_SOURCES = 48  # items of the history whose neighbours are summed

_NONE = Found(np.empty(0, np.int64), np.empty(0, np.float32))


@dataclass
class Request:
    """One shopper's request, with what several channels share."""

    release: Snapshot
    context: UserContext
    past: HistorySummary
    allowed: Mask | None
    top_k: int
    timeout_s: float
    item_filter: ItemFilter = NO_FILTER
    live: LiveSet = field(default_factory=lambda: LiveSet(0, None))
    index_failed: bool = field(default=False, init=False)
    fresh_ids: list[str] = field(default_factory=list, init=False)  # of the rows after the release's last

    def permitted(self, rows: Rows) -> Rows:
        """Which of `rows` may be shown, as positions in `rows`."""
        return np.arange(len(rows)) if self.allowed is None else np.flatnonzero(self.allowed[rows])


def two_tower(request: Request) -> Found:
    """Nearest items to the user tower's embedding. Nothing for a shopper of whom nothing is known."""
    if not request.past.n_events and not any(
        request.context.profile.get(entry.name) for entry in request.release.schema.user_fields
    ):
        return _NONE
    vector = request.release.encode_user(request.context, request.past)
    try:
        rows, scores, request.index_failed = request.release.search.nearest(
            vector, request.top_k, request.allowed, request.timeout_s
        )
    except Unavailable:
        request.index_failed = True
        raise
    return Found(rows, scores)


def item_to_item(request: Request) -> Found:
    """Neighbours of the shopper's items: the session's in turns, then all by weight and recency."""
    neighbours, strength = request.release.neighbours, request.release.neighbour_scores
    past = request.past
    if not len(past.items) or not neighbours.shape[1]:
        return _NONE
    strongest = past.strongest(_SOURCES)
    sources = past.items[strongest]
    weights = np.log1p((past.long_weight + past.short_weight)[strongest])
    targets = neighbours[sources].ravel().astype(np.int64)  # [s × K]
    gains = (strength[sources] * weights[:, None]).ravel()
    origins = np.repeat(sources, neighbours.shape[1])
    # What the shopper took before is the business of bought_again
    known = np.flatnonzero((targets >= 0) & ~np.isin(targets, past.items))
    known = known[request.permitted(targets[known])]
    targets, gains, origins = targets[known], gains[known], origins[known]
    rows, inverse = np.unique(targets, return_inverse=True)
    total = np.bincount(inverse, gains, len(rows))
    # The source that gave most is the reason: sorted by gain, its write is the last one.
    order = np.argsort(gains, kind="stable")
    reasons = np.zeros(len(rows), np.int64)
    reasons[inverse[order]] = origins[order]
    ranked = np.argsort(-total, kind="stable")
    rows, total, reasons = rows[ranked], total[ranked], reasons[ranked]

    near, near_reasons = _session_neighbours(request)
    later = ~np.isin(rows, near)
    rows = np.concatenate([near, rows[later]])[: request.top_k]
    reasons = np.concatenate([near_reasons, reasons[later]])[: request.top_k]
    scores = np.concatenate([np.full(len(near), total.max(initial=1.0)), total[later]])[: request.top_k]
    return Found(rows, scores.astype(np.float32), reasons)


def _session_neighbours(request: Request) -> tuple[Rows, Rows]:
    """Neighbours of the session's items in turns, distinct, and the item that led to each."""
    sources = request.release.rows_of(session_items(request.context))
    sources = sources[sources >= 0]
    if not len(sources):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    targets = request.release.neighbours[sources].T.astype(np.int64)  # [K, s]: best of each first
    reasons = np.broadcast_to(sources, targets.shape)
    keep = (targets >= 0) & ~np.isin(targets, sources)
    if request.allowed is not None:
        keep &= request.allowed[targets]
    keep &= np.cumsum(keep, axis=0) <= _SESSION_NEIGHBOURS
    rows, reasons = targets[keep], reasons[keep]
    _, first = np.unique(rows, return_index=True)
    first.sort()
    return rows[first], reasons[first]


def bought_again(request: Request) -> Found:
    """What the shopper takes regularly."""
    rows, scores = repeat_rows(request.past, len(request.past.items))
    kept = request.permitted(rows)[: request.top_k]
    return Found(rows[kept], scores[kept].astype(np.float32), rows[kept])


def popular(request: Request) -> Found:
    """Best sellers of all."""
    return _listed(request, "popular")


def trending(request: Request) -> Found:
    """What sells faster than usual."""
    return _listed(request, "trending")


def new(request: Request) -> Found:
    """What is new in the shop: what sells since lately, and, in turns with it, what nobody has bought yet."""
    listed = _listed(request, "new")
    fresh = request.release.fresh
    if fresh is None or not len(fresh):
        return listed
    ids, _ = fresh.best(request.context, request.item_filter, request.live, request.top_k)
    # Items without a row in the release get rows after its last one.
    request.fresh_ids = ids
    rows = np.arange(len(ids)) + len(request.release.item_ids)
    due = np.concatenate([np.arange(len(listed.rows)) + 0.5, np.arange(len(ids))])
    order = np.argsort(due, kind="stable")[: request.top_k]
    rows = np.concatenate([listed.rows, rows])[order]
    # Sales and fit are not to be compared: the score only says the order.
    return Found(rows, (1.0 / (1.0 + np.arange(len(rows)))).astype(np.float32))


def segment(request: Request) -> Found:
    """What shoppers with such a profile take, by all that the profile tells together."""
    segments = request.release.segments
    mine = segments.of(request.context.profile)
    if not len(mine):
        return _NONE
    scores = segments.scores(mine)
    kept = segments.best(scores, request.permitted(segments.rows), request.top_k)
    return Found(segments.rows[kept], scores[kept], segments=tuple(segments.reasons(mine, kept)))


def _listed(request: Request, name: str) -> Found:
    found = request.release.lists[name]
    kept = request.permitted(found.rows)[: request.top_k]
    return Found(found.rows[kept], found.scores[kept])


REGISTRY: Mapping[str, Callable[[Request], Found]] = {
    "two_tower": two_tower,
    "item_to_item": item_to_item,
    "bought_again": bought_again,
    "popular": popular,
    "segment": segment,
    "trending": trending,
    "new": new,
}
