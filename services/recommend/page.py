"""From scored candidates to the page: order, details of what is shown, refill, reasons."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from engine.policy import Policy, arrange
from engine.types import Candidate, Item, ItemFilter, Reason, RecommendedItem
from engine.vocabulary import Degradation
from services.common.ports import ItemPort
from services.recommend.run import Budgets, Run

_ROUNDS = 3  # of asking item: each but the first replaces what the catalogue lacks
_REMEMBERED = 20_000  # items whose last details are kept for when item is away
_KINDS = {
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


@dataclass(frozen=True, slots=True)
class Scored:
    """Candidates best first, with the scores to show and what the policy goes by; lists of equal length."""

    candidates: Sequence[Candidate]
    scores: Sequence[float]
    categories: Sequence[int] | None
    from_session: Sequence[bool]


def without(scored: Scored, item_ids: frozenset[str]) -> Scored:
    """The candidates whose ids are none of these."""
    kept = [place for place, candidate in enumerate(scored.candidates) if candidate.item_id not in item_ids]
    return Scored(
        [scored.candidates[place] for place in kept],
        [scored.scores[place] for place in kept],
        [scored.categories[place] for place in kept] if scored.categories is not None else None,
        [scored.from_session[place] for place in kept],
    )


class PageMaker:
    """Turns scored candidates into pages. Shared by all requests."""

    def __init__(self, item: ItemPort, policy: Policy, budgets: Budgets) -> None:
        self._item, self._policy, self._budgets = item, policy, budgets
        self._last: OrderedDict[str, Item] = OrderedDict()
        self._lock = Lock()

    def make(
        self, scored: Scored, page_size: int, item_filter: ItemFilter, check_filter: bool, run: Run
    ) -> tuple[RecommendedItem, ...]:
        """The page. Items that the catalogue lacks or that cannot be bought are replaced by the next best.

        Of the variants of one item the best is shown, and others only where there is nothing else to show.

        While item is away, details that were read before are shown, else ids only; the list is flagged ITEM.

        Args:
            check_filter: whether the candidates did not go through recall's filter, so that details must.
        """
        usable = list(range(len(scored.candidates)))
        details: dict[str, Item] = {}
        asked: set[str] = set()
        page: list[int] = []
        spare: list[int] = []
        for _ in range(_ROUNDS):
            page = self._arranged(scored, usable, page_size)
            wanted = self._wanted(scored, page, asked)
            if not wanted:
                break
            found = self._read(wanted, run)
            if found is None:
                details.update(self._remembered([*wanted, *asked]))
                break
            asked.update(wanted)
            details.update(found)
            usable = [
                position
                for position in usable
                if (item_id := scored.candidates[position].item_id) not in asked
                or _shown(details.get(item_id), item_filter, check_filter)
            ]
            more = _further_variants(scored, self._arranged(scored, usable, page_size), details)
            spare += more
            usable = [position for position in usable if position not in more]
        else:
            page = self._arranged(scored, usable, page_size)
            page = [position for position in page if scored.candidates[position].item_id in asked]
        page += spare[: page_size - len(page)]
        return tuple(self._recommended(scored, position, details) for position in page)

    def _arranged(self, scored: Scored, usable: Sequence[int], page_size: int) -> list[int]:
        categories = scored.categories
        order = arrange(
            self._policy,
            [categories[position] for position in usable] if categories is not None else None,
            [scored.from_session[position] for position in usable],
            page_size,
        )
        return [usable[place] for place in order]

    def _wanted(self, scored: Scored, page: Sequence[int], asked: set[str]) -> list[str]:
        """Ids to read for this page: what is shown, and the items that reasons name."""
        wanted: dict[str, None] = {}
        for position in page:
            candidate = scored.candidates[position]
            wanted.setdefault(candidate.item_id)
            if candidate.reason_item_id and _kind(candidate, scored.from_session[position]) in _OF_ITEM:
                wanted.setdefault(candidate.reason_item_id)
        return [item_id for item_id in wanted if item_id not in asked]

    def _read(self, item_ids: list[str], run: Run) -> Mapping[str, Item] | None:
        read: Callable[[float], tuple[list[Item], list[str]]] = lambda timeout_s: self._item.batch_get_items(  # noqa: E731
            item_ids, timeout_s
        )
        answer = run.ask("item", self._budgets.item, Degradation.ITEM, read)
        if answer is None:
            return None
        found = {item.item_id: item for item in answer[0]}
        with self._lock:
            for item_id, item in found.items():
                self._last[item_id] = item
                self._last.move_to_end(item_id)
            while len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
        return found

    def _remembered(self, item_ids: Sequence[str]) -> dict[str, Item]:
        with self._lock:
            return {item_id: self._last[item_id] for item_id in item_ids if item_id in self._last}

    def _recommended(self, scored: Scored, position: int, details: Mapping[str, Item]) -> RecommendedItem:
        candidate = scored.candidates[position]
        return RecommendedItem(
            candidate.item_id,
            scored.scores[position],
            candidate.channels,
            _reason(candidate, scored.from_session[position], details),
            details.get(candidate.item_id),
        )


def _further_variants(scored: Scored, page: Sequence[int], details: Mapping[str, Item]) -> list[int]:
    """Positions of a page whose item is a variant of one before them. What is bought again is what it is."""
    families: set[str] = set()
    further = []
    for position in page:
        candidate = scored.candidates[position]
        item = details.get(candidate.item_id)
        if item is None or candidate.channels[:1] == ("bought_again",):
            continue
        family = item.variant_of or item.item_id
        if family in families:
            further.append(position)
        families.add(family)
    return further


def _kind(candidate: Candidate, from_session: bool) -> str:
    if from_session:
        return "because_of_item"
    return _KINDS.get(candidate.channels[0], "unspecified") if candidate.channels else "unspecified"


def _reason(candidate: Candidate, from_session: bool, details: Mapping[str, Item]) -> Reason:
    kind = _kind(candidate, from_session)
    if kind in _OF_ITEM:
        source = details.get(candidate.reason_item_id)
        return Reason(kind, candidate.reason_item_id, source.title if source else "")
    if kind == "bought_again":
        item = details.get(candidate.item_id)
        return Reason(kind, candidate.item_id, item.title if item else "")
    if kind == "popular_in_segment" and not candidate.reason_segment:
        return Reason("popular")  # none of the shopper's segments takes more of it than everybody does
    return Reason(kind, segment=candidate.reason_segment if kind == "popular_in_segment" else "")


def _shown(item: Item | None, item_filter: ItemFilter, check_filter: bool) -> bool:
    """Whether an item that was asked for may be shown."""
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
