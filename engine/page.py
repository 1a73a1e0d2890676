"""From scored candidates to the page: order, variety, answers to clicks, details of what is shown, reasons.

Three rules come after the ranker; all are bounded, and all give way when nothing else is left:

* variety: at most `same_category` of any `window` neighbouring items are of one leaf category;
* new items: what nobody has bought yet the ranker cannot judge; it gets the tenth place of each twenty;
* session: of every prefix of the page at least `session_share` are items reached from the newest live events.
  A ranker trained on purchases alone cannot know what a click means, and who clicks expects an answer.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from engine.candidates import CHANNEL_NUMBER, Candidates, Floats, Rows
from engine.rank import UNKNOWN, blend, impersonal_order, place_new
from engine.types import Item, ItemFilter, Reason, RecommendedItem
from engine.vocabulary import is_impersonal

_ROUNDS = 3  # of reading details: each but the first replaces what the catalogue lacks
_SEGMENT, _ITEM_TO_ITEM, _AGAIN = (CHANNEL_NUMBER[c] for c in ("segment", "item_to_item", "bought_again"))
_REASONS = {
    "two_tower": "for_you",
    "item_to_item": "because_of_item",
    "bought_again": "bought_again",
    "popular": "popular",
    "segment": "popular_in_segment",
    "trending": "trending",
    "new": "new",
    "content": "similar_to",
}
_OF_ITEM = ("because_of_item", "similar_to")
"""Kinds of reasons that name another item."""

Read = Callable[[Sequence[str]], "Mapping[str, Item] | None"]
"""Details of items by id, without those that the catalogue lacks; None while it does not answer."""


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules' numbers.

    `new_from`, `new_every`: the first place, from 0, of an item the ranker lacks, and the step to the next.
    `profile_weight`: 1 = the page of a shopper with only a profile is in recall's order, 0 = in the ranker's.
    """

    window: int = 10
    same_category: int = 4
    session_share: float = 0.2
    profile_weight: float = 1.0
    new_from: int = 9
    new_every: int = 20


@dataclass(frozen=True, slots=True, eq=False)
class Scored:
    """Candidates in the order in which the page is filled.

    `scores` float32 [k] to show; `categories` int64 [k], 0 = unknown, or None where the variety rule is off;
    `from_session` bool [k]: reached from one of the newest live events.
    """

    candidates: Candidates
    scores: Floats
    categories: Rows | None
    from_session: npt.NDArray[np.bool_]

    def take(self, places: Rows | Sequence[int]) -> Scored:
        """These places, in their order."""
        at = np.asarray(places, np.int64)
        categories = None if self.categories is None else self.categories[at]
        return Scored(self.candidates.take(at), self.scores[at], categories, self.from_session[at])

    def without(self, item_ids: frozenset[str]) -> Scored:
        """The candidates whose ids are none of these."""
        hidden = self.candidates.ids.row_of(item_ids)
        return self.take(np.flatnonzero(~np.isin(self.candidates.rows, hidden)))


def ranked(policy: Policy, scored: Scored, channels: Sequence[str], has_events: bool) -> Scored:
    """Recall's candidates in the order of the page, by the ranker's scores; those it lacks show 0.

    Rails of impersonal `channels` keep their order, but for a small personal shift. Where nothing but a
    profile is known, recall's order counts: it knows more of profiles than the ranker does (ADR 0081).
    """
    scores = scored.scores
    if is_impersonal(channels):
        order = impersonal_order(scores)
    else:
        by_profile = not has_events and bool((scored.candidates.deciding == _SEGMENT).any())
        order = blend(scores, policy.profile_weight if by_profile else 0.0)
        order = place_new(order, scores == UNKNOWN, policy.new_from, policy.new_every)
    return replace(scored, scores=np.maximum(scores, 0.0)).take(order)


def arrange(
    policy: Policy, categories: Sequence[int] | None, from_session: Sequence[bool], page_size: int
) -> list[int]:
    """Positions of the items to show, in order, at most `page_size`.

    Args:
        categories: leaf category of each candidate, candidates best first; 0 = unknown, never limited.
            None: the variety rule is off.
        from_session: whether each candidate is reached from a live event.
    """
    waiting = deque(range(len(from_session)))
    session = deque(position for position in waiting if from_session[position])
    recent: deque[int] = deque(maxlen=max(policy.window - 1, 1))
    counts: Counter[int] = Counter()
    taken: set[int] = set()
    page: list[int] = []
    answered = 0
    while len(page) < page_size and len(taken) < len(from_session):
        owed = session and answered < int(policy.session_share * (len(page) + 1) + 1e-9)
        queue = session if owed else waiting
        position = _next(queue, taken, categories, counts, policy.same_category)
        if position is None:  # the session's items are all shown
            session.clear()
            continue
        taken.add(position)
        page.append(position)
        answered += from_session[position]
        category = categories[position] if categories is not None else 0
        if len(recent) == recent.maxlen:
            counts[recent[0]] -= 1
        recent.append(category)
        counts[category] += 1
    return page


def _next(
    queue: deque[int], taken: set[int], categories: Sequence[int] | None, counts: Counter[int], limit: int
) -> int | None:
    """The best position that keeps to the variety rule, else the best of all; None if the queue is empty."""
    while queue and queue[0] in taken:
        queue.popleft()
    if not queue or categories is None:
        return queue[0] if queue else None
    for position in queue:
        if position not in taken and (not categories[position] or counts[categories[position]] < limit):
            return position
    return queue[0]


def make_page(
    policy: Policy,
    scored: Scored,
    page_size: int,
    item_filter: ItemFilter,
    check_filter: bool,
    read: Read,
    remembered: Callable[[Sequence[str]], Mapping[str, Item]],
) -> tuple[RecommendedItem, ...]:
    """The page. Items that the catalogue lacks or that cannot be bought are replaced by the next best.

    Of the variants of one item the best is shown, and others only where there is nothing else to show. While
    details cannot be read, those `remembered` are shown, else ids only.

    Args:
        check_filter: whether the candidates did not go through recall's filter, so that details must.
    """
    page = _Page(policy, scored, page_size)
    details: dict[str, Item] = {}
    asked: set[str] = set()
    further: list[int] = []
    shown: list[int] = []
    for _ in range(_ROUNDS):
        shown = page.arranged()
        wanted = page.ids_to_read(shown, asked)
        if not wanted:
            break
        found = read(wanted)
        if found is None:
            details.update(remembered([*wanted, *asked]))
            break
        asked.update(wanted)
        details.update(found)
        page.drop_items([one for one in wanted if not _fits(details.get(one), item_filter, check_filter)])
        more = page.further_variants(page.arranged(), details)
        further += more
        page.drop(more)
    else:
        shown = [place for place in page.arranged() if page.id_at(place) in asked]
    shown += further[: page_size - len(shown)]
    return tuple(page.item(place, details) for place in shown)


class _Page:
    """The page while it is filled: which candidates are still to be had, and what is read of them."""

    def __init__(self, policy: Policy, scored: Scored, size: int) -> None:
        self._policy, self._scored, self._size = policy, scored, size
        self._candidates = scored.candidates
        self._usable = list(range(len(self._candidates)))
        self._categories = None if scored.categories is None else scored.categories.tolist()
        self._session = scored.from_session.tolist()
        self._rows = scored.candidates.rows.tolist()

    def id_at(self, place: int) -> str:
        """The id of a candidate."""
        return self._candidates.ids[self._rows[place]]

    def arranged(self) -> list[int]:
        """Places of the candidates to show, by the rules."""
        usable, categories, session = self._usable, self._categories, self._session
        if len(usable) < len(session):
            categories = [categories[place] for place in usable] if categories is not None else None
            session = [session[place] for place in usable]
        return [usable[one] for one in arrange(self._policy, categories, session, self._size)]

    def drop_items(self, item_ids: Sequence[str]) -> None:
        """Drop the candidates of these ids."""
        if item_ids:
            rows = set(self._candidates.ids.row_of(item_ids).tolist())
            self._usable = [place for place in self._usable if self._rows[place] not in rows]

    def drop(self, places: Sequence[int]) -> None:
        """Drop these."""
        if places:
            self._usable = [place for place in self._usable if place not in places]

    def ids_to_read(self, shown: Sequence[int], asked: set[str]) -> list[str]:
        """Ids of what is shown, and of the items that reasons name, without those asked for before."""
        wanted: dict[str, None] = {}
        for place in shown:
            wanted.setdefault(self.id_at(place))
            if self._kind(place) in _OF_ITEM and (source := self._candidates.reason_item_id(place)):
                wanted.setdefault(source)
        return [item_id for item_id in wanted if item_id not in asked]

    def further_variants(self, shown: Sequence[int], details: Mapping[str, Item]) -> list[int]:
        """Places whose item is a variant of one before them. What is bought again is what it is."""
        families: set[str] = set()
        further = []
        for place in shown:
            item = details.get(self.id_at(place))
            if item is None or self._candidates.deciding[place] == _AGAIN:
                continue
            family = item.variant_of or item.item_id
            if family in families:
                further.append(place)
            families.add(family)
        return further

    def item(self, place: int, details: Mapping[str, Item]) -> RecommendedItem:
        """What is shown at a place."""
        item_id, candidates = self.id_at(place), self._candidates
        return RecommendedItem(
            item_id,
            float(self._scored.scores[place]),
            candidates.channels(place),
            self._reason(place, details),
            details.get(item_id),
        )

    def _kind(self, place: int) -> str:
        if self._session[place]:
            return "because_of_item"
        channels = self._candidates.channels(place)
        return _REASONS.get(channels[0], "unspecified") if channels else "unspecified"

    def _reason(self, place: int, details: Mapping[str, Item]) -> Reason:
        kind, candidates = self._kind(place), self._candidates
        if kind in _OF_ITEM:
            source_id = candidates.reason_item_id(place)
            source = details.get(source_id)
            return Reason(kind, source_id, source.title if source else "")
        if kind == "bought_again":
            item = details.get(self.id_at(place))
            return Reason(kind, self.id_at(place), item.title if item else "")
        segment = candidates.segment(place) if kind == "popular_in_segment" else ""
        if kind == "popular_in_segment" and not segment:
            return Reason("popular")  # none of the shopper's segments takes more of it than everybody does
        return Reason(kind, segment=segment)


def _fits(item: Item | None, item_filter: ItemFilter, check_filter: bool) -> bool:
    """Whether an item whose details were read may be shown."""
    if item is None or not (item.available or item_filter.include_unavailable):
        return False
    if not check_filter:
        return True
    low, high = item_filter.price_min, item_filter.price_max
    return (
        (not item_filter.categories or not item_filter.categories.isdisjoint(item.category_path))
        and (not item_filter.brands or item.brand in item_filter.brands)
        and (low is None or (item.price is not None and item.price >= low))
        and (high is None or (item.price is not None and item.price <= high))
    )
