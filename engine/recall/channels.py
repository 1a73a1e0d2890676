"""Recall: the channels, each a function from a request to what it found, and the merged candidates of all.

A new channel is a function here, a line in `CHANNEL_FUNCTIONS`, a name in `engine/vocabulary.py` and a quota.
A channel may raise `Unavailable`: the others then fill the list. Legend: n found, s sources, K neighbours.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.candidates import Candidates, ChannelReport, Rows
from engine.errors import Unavailable
from engine.features import HistorySummary, UserContext
from engine.recall.filters import LiveSet, Mask
from engine.recall.merge import NEW_SHOPPER, Found, Quotas, merge
from engine.recall.neighbours import in_turns, neighbours_by_sum
from engine.recall.repeat import bought_again as repeat_rows
from engine.recall.session import session_rows
from engine.snapshot import Snapshot, SnapshotIds
from engine.types import NO_FILTER, ItemFilter
from engine.vocabulary import CHANNELS, SIMILAR_CHANNELS, Degradation

_SESSION_NEIGHBOURS = 8  # of each of the session's items
_SOURCES = 48  # items of the history whose neighbours are summed

_NONE = Found(np.empty(0, np.int64), np.empty(0, np.float32))
NEVER_READ = LiveSet(0, None)


@dataclass
class Request:
    """What recall is asked for one shopper, and what channels find out on the way.

    Args:
        past: the summary of the context's history.
        left_s: seconds that remain for the answer.
        vector: the shopper's embedding, float32 [D], where it is known beforehand; else the tower is asked.
    """

    snapshot: Snapshot
    context: UserContext
    past: HistorySummary
    top_k: int
    left_s: Callable[[], float]
    item_filter: ItemFilter = NO_FILTER
    live: LiveSet = NEVER_READ
    vector: np.ndarray | None = None
    allowed: Mask | None = field(init=False)
    index_failed: bool = field(default=False, init=False)
    new_ids: list[str] = field(default_factory=list, init=False)  # of the rows after the release's last

    def __post_init__(self) -> None:
        self.allowed = self.snapshot.allowed(self.item_filter, self.past, self.live)

    def permitted(self, rows: Rows) -> Rows:
        """Which of `rows` may be shown, as positions in `rows`."""
        return np.arange(len(rows)) if self.allowed is None else np.flatnonzero(self.allowed[rows])


@dataclass(frozen=True)
class Recalled:
    """Candidates, what failed meanwhile, and a report of each channel."""

    candidates: Candidates
    degraded: frozenset[Degradation]
    reports: tuple[ChannelReport, ...]


Failed = Callable[[str, Exception], None]
"""Told of a channel that failed, with its name and why."""


def recall(
    request: Request,
    channels: Sequence[str] = (),
    quotas: Quotas | None = None,
    failed: Failed = lambda channel, error: None,
) -> Recalled:
    """The best candidates of `channels` (all for none), merged by quota. A channel that fails is reported.

    `quotas`: by default those of shoppers with events, or of new ones.
    """
    found: dict[str, Found] = {}
    reports: list[ChannelReport] = []
    degraded: set[Degradation] = set()
    for name in channels or CHANNELS:
        try:
            found[name] = CHANNEL_FUNCTIONS[name](request)
        except Exception as error:  # whatever a channel dies of, it must not cost the shopper the list
            failed(name, error)
            text = str(error) if isinstance(error, Unavailable) else "internal error"
            reports.append(ChannelReport(name, 0, text))
            if name == "two_tower" and not request.index_failed:
                degraded.add(Degradation.RECALL)
        else:
            reports.append(ChannelReport(name, len(found[name].rows)))
    if request.index_failed:
        degraded.add(Degradation.INDEX)
    snapshot = request.snapshot
    ids = SnapshotIds(snapshot.name, snapshot.table, request.new_ids) if request.new_ids else snapshot.ids
    quotas = quotas or (Quotas() if request.past.n_events else NEW_SHOPPER)
    candidates = merge(found, quotas, request.top_k, ids, snapshot.segments.names)
    return Recalled(candidates, frozenset(degraded), tuple(reports))


def two_tower(request: Request) -> Found:
    """Nearest items to the user tower's embedding. Nothing for a shopper of whom nothing is known."""
    snapshot, told = request.snapshot, request.context.profile
    if not request.past.n_events and not any(told.get(one.name) for one in snapshot.schema.user_fields):
        return _NONE
    vector = request.vector
    if vector is None:
        vector = snapshot.encode_user(request.context, request.past)
    try:
        rows, scores, request.index_failed = snapshot.nearest(
            vector, request.top_k, request.allowed, max(request.left_s(), 0.001)
        )
    except Unavailable:
        request.index_failed = True
        raise
    return Found(rows, scores)


def item_to_item(request: Request) -> Found:
    """Neighbours of the shopper's items: the session's in turns, then all by weight and recency."""
    table, past = request.snapshot.table, request.past
    neighbours, strength = table.neighbours, table.neighbour_scores
    if neighbours is None or strength is None or not len(past.items) or not neighbours.shape[1]:
        return _NONE
    near, near_reasons = in_turns(session_rows(past), neighbours, request.allowed, _SESSION_NEIGHBOURS)
    strongest = past.strongest(_SOURCES)
    weights = np.log1p((past.long_weight + past.short_weight)[strongest])
    # What the shopper took before is the business of bought_again
    count = request.top_k + len(near)
    rows, total, reasons = neighbours_by_sum(
        past.items[strongest], weights, neighbours, strength, request.allowed, past.items, count
    )
    later = ~np.isin(rows, near)
    rows = np.concatenate([near, rows[later]])[: request.top_k]
    reasons = np.concatenate([near_reasons, reasons[later]])[: request.top_k]
    scores = np.concatenate([np.full(len(near), total.max(initial=1.0)), total[later]])[: request.top_k]
    return Found(rows, scores.astype(np.float32), reasons)


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
    fresh = request.snapshot.fresh
    if fresh is None or not len(fresh):
        return listed
    ids, _ = fresh.best(request.context, request.item_filter, request.live, request.top_k)
    # Items without a row in the release get rows after its last one.
    request.new_ids = ids
    rows = np.arange(len(ids)) + len(request.snapshot.table)
    due = np.concatenate([np.arange(len(listed.rows)) + 0.5, np.arange(len(ids))])
    order = np.argsort(due, kind="stable")[: request.top_k]
    rows = np.concatenate([listed.rows, rows])[order]
    # Sales and fit are not to be compared: the score only says the order.
    return Found(rows, (1.0 / (1.0 + np.arange(len(rows)))).astype(np.float32))


def segment(request: Request) -> Found:
    """What shoppers with such a profile take, by all that the profile tells together."""
    segments = request.snapshot.segments
    mine = segments.of(request.context.profile)
    if not len(mine):
        return _NONE
    scores = segments.scores(mine)
    kept = segments.best(scores, request.permitted(segments.rows), request.top_k)
    return Found(segments.rows[kept], scores[kept], segments=segments.reasons(mine, kept))


def _listed(request: Request, name: str) -> Found:
    found = request.snapshot.lists[name]
    kept = request.permitted(found.rows)[: request.top_k]
    return Found(found.rows[kept], found.scores[kept])


CHANNEL_FUNCTIONS: Mapping[str, Callable[[Request], Found]] = {
    "two_tower": two_tower,
    "item_to_item": item_to_item,
    "bought_again": bought_again,
    "popular": popular,
    "segment": segment,
    "trending": trending,
    "new": new,
}


def recall_similar(
    snapshot: Snapshot,
    item_id: str,
    top_k: int,
    allowed: Mask | None,
    left_s: Callable[[], float],
    channels: Sequence[str] = (),
    quotas: Quotas | None = None,
    failed: Failed = lambda channel, error: None,
) -> Recalled | None:
    """Items like one by shoppers, nearest vectors and what is written alike; never the item itself.

    An item that the release lacks has only the last of these; None if there is nothing of it either.
    """
    wanted, row = channels or SIMILAR_CHANNELS, int(snapshot.table.row_of([item_id])[0])
    alike = snapshot.alike.of(item_id) if snapshot.alike is not None and "content" in wanted else None
    if row < 0 and (alike is None or not len(alike[0])):
        return None
    allowed = np.ones(len(snapshot.table), np.bool_) if allowed is None else allowed.copy()
    found: dict[str, Found] = {}
    degraded: set[Degradation] = set()
    ids, reason = snapshot.ids, row
    if row < 0:  # the item itself is the reason, so it needs a row of its own
        ids, reason = SnapshotIds(snapshot.name, snapshot.table, [item_id]), len(snapshot.table)
    if alike is not None:
        rows, scores = alike
        kept = np.flatnonzero(allowed[rows])[:top_k]
        found["content"] = Found(rows[kept], scores[kept], np.full(len(kept), reason, np.int64))
    if row >= 0:
        allowed[row] = False
        if "item_to_item" in wanted:
            found["item_to_item"] = _bought_together(snapshot, row, top_k, allowed)
        if "two_tower" in wanted:
            try:
                vector = snapshot.vectors[row]
                rows, scores, index_failed = snapshot.nearest(vector, top_k, allowed, max(left_s(), 0.001))
            except Unavailable as error:
                failed("two_tower", error)
                index_failed = True
            else:
                found["two_tower"] = Found(rows, scores)
            degraded |= {Degradation.INDEX} if index_failed else set()
    candidates = merge(found, quotas or snapshot.similar_quotas, top_k, ids)
    reports = tuple(ChannelReport(name, len(part.rows)) for name, part in found.items())
    return Recalled(candidates, frozenset(degraded), reports)


def _bought_together(snapshot: Snapshot, row: int, top_k: int, allowed: Mask) -> Found:
    """The neighbours of one item of the release."""
    table = snapshot.table
    if table.neighbours is None or table.neighbour_scores is None:
        return _NONE
    near = np.asarray(table.neighbours[row], np.int64)
    kept = np.flatnonzero((near >= 0) & allowed[near])[:top_k]
    strength = np.asarray(table.neighbour_scores[row])[kept]
    return Found(near[kept], strength, np.full(len(kept), row, np.int64))
