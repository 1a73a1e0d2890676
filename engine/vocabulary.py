"""The words that every part shares: event types, channels, degradations and the limits of what is read.

Each is said here and nowhere else; protos and stored codes number them by their place.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum

EVENT_TYPES = ("view", "click", "cart", "purchase", "favorite", "comment", "rate", "dislike")
"""What a shopper does with an item, and what a dataset's events may be."""

IMPRESSION = "impression"
"""The one type that is no part of a shopper's history: an item was shown, whatever the shopper did."""

LIVE_EVENT_TYPES = (*EVENT_TYPES, IMPRESSION)
"""What the user service records; index + 1 is the number of the proto enum."""

HISTORY_EVENT_TYPES = ("other", *EVENT_TYPES)
"""Types by their code in stored histories and in arrays; a type not listed is "other"."""

EVENT_CODE = {name: code for code, name in enumerate(HISTORY_EVENT_TYPES)}

MAX_HISTORY = 1_000
"""Events of a shopper that are kept, read for a request and sent with a context, at most."""

DEFAULT_PAGE, MAX_PAGE = 20, 100
"""Elements of one page of a list."""

DEFAULT_CANDIDATES, MIN_CANDIDATES, MAX_CANDIDATES = 200, 50, 500
"""Candidates that are ranked for a page."""

DEFAULT_TOP_K, DEFAULT_SIMILAR, MAX_TOP_K = 200, 20, 1_000
"""Candidates that recall is asked for: for a shopper, for an item, and at most."""

MAX_BATCH = 1_000
"""Elements of one request that reads or writes several."""

MAX_SESSION_ITEMS = 50
"""Items of an anonymous session that a request brings."""

MAX_FILTER_VALUES, MAX_EXCLUDED = 100, 1_000
"""Values of one field of a filter; items that it excludes."""

CHANNELS = ("two_tower", "item_to_item", "bought_again", "popular", "segment", "trending", "new")
"""Recall channels in the order of preference when two give an item the same place."""

SIMILAR_CHANNELS = ("item_to_item", "two_tower", "content")
"""Channels of similar items: bought together, near in the embedding, alike by what is written about them."""

ALL_CHANNELS = tuple(dict.fromkeys((*CHANNELS, *SIMILAR_CHANNELS)))
"""Every channel; its place is its bit in the channel bits of candidates, and its number on the wire − 1."""

IMPERSONAL_CHANNELS = frozenset({"popular", "trending", "new"})
"""Channels whose list is the same for everybody; their order means something."""


def is_impersonal(channels: Sequence[str]) -> bool:
    """Whether a rail is of such channels only: it then needs no shopper, and keeps its order (ADR 0100)."""
    return bool(channels) and IMPERSONAL_CHANNELS.issuperset(channels)


class Degradation(Enum):
    """A part that did not answer; the list was made without it. Values are those of the proto enum."""

    USER = 1
    RECALL = 2
    INDEX = 3
    RANK = 4
    ITEM = 5
    CANDIDATES = 6
