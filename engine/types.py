"""The types that travel between stages and services.

Ports (`services/common/ports.py`) take and give them; a service in process and its gRPC client alike.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from engine.features import UserContext, canonical
from engine.ids import canonical_ids
from engine.vocabulary import DEFAULT_CANDIDATES, DEFAULT_PAGE, Degradation

AttributeValue = str | float | tuple[str, ...]
"""A category, a number, or several categories."""


def profile_features(attributes: Mapping[str, AttributeValue]) -> dict[str, str | list[str]]:
    """Attributes as `UserContext.profile` and Redis hold them: numbers as text, several texts as a list."""
    features: dict[str, str | list[str]] = {}
    for name, value in attributes.items():
        if isinstance(value, str):
            features[name] = value
        else:
            features[name] = list(value) if isinstance(value, tuple) else canonical(value)
    return features


@dataclass(frozen=True, slots=True)
class Item:
    """An item of the catalogue. `price` None = unknown; `listed_at_ms` 0 = unknown; a text "" = unknown.

    `description` is answered by `get_item` and `list_items` only. `image_url` is a web address, or a path on
    the shop's own host; `variant_of` the id of the item that this one is a variant of.
    """

    item_id: str
    title: str = ""
    category_path: tuple[str, ...] = ()
    brand: str = ""
    shop: str = ""
    price: float | None = None
    available: bool = True
    listed_at_ms: int = 0
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)
    description: str = ""
    url: str = ""
    image_url: str = ""
    variant_of: str = ""


SEARCH_ORDERS = ("relevance", "popularity", "newest", "price_ascending", "price_descending")
"""Orders of a search; index + 1 is the number of the proto enum."""


@dataclass(frozen=True, slots=True)
class SearchQuery:
    """What to search or browse; `order` "" = relevance with a text, else popularity."""

    text: str = ""
    category_path: tuple[str, ...] = ()
    brands: tuple[str, ...] = ()
    price_min: float | None = None
    price_max: float | None = None
    order: str = ""
    page_size: int = DEFAULT_PAGE
    page_token: str = ""
    include_unavailable: bool = False
    variant_of: str = ""


@dataclass(frozen=True, slots=True)
class SearchResult:
    """A page of what fits, and counts over all that fits (value, number), most frequent first."""

    items: tuple[Item, ...]
    next_page_token: str
    total_count: int
    brands: tuple[tuple[str, int], ...] = ()
    categories: tuple[tuple[str, int], ...] = ()
    corrected_text: str = ""


@dataclass(frozen=True, slots=True)
class Category:
    """A category with the number of items at and below it."""

    name: str
    item_count: int
    children: tuple[Category, ...] = ()


@dataclass(frozen=True, slots=True)
class UserProfile:
    """A stored user: id and the dataset's user features."""

    user_id: str
    attributes: Mapping[str, AttributeValue] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class UserEvent:
    """An event to record or as stored; `at_ms` 0 means now."""

    user_id: str
    item_id: str
    type: str
    at_ms: int = 0
    value: float = 0.0
    attribution_token: str = ""
    event_id: str = ""


@dataclass(frozen=True, slots=True)
class KnownContext:
    """A user's context and whether the user is stored or has events."""

    context: UserContext
    known: bool


@dataclass(frozen=True, slots=True)
class ItemFilter:
    """Which items may be shown; empty fields do not restrict."""

    categories: frozenset[str] = frozenset()
    brands: frozenset[str] = frozenset()
    price_min: float | None = None
    price_max: float | None = None
    exclude_item_ids: frozenset[str] = frozenset()
    exclude_purchased: bool = False
    include_unavailable: bool = False

    def __post_init__(self) -> None:
        if self.exclude_item_ids:  # compared with canonical ids
            ids = frozenset(canonical_ids(tuple(self.exclude_item_ids)))
            object.__setattr__(self, "exclude_item_ids", ids)


NO_FILTER = ItemFilter()


@dataclass(frozen=True, slots=True)
class RankResult:
    """`scores[i]` in [0, 1] belongs to the request's `item_ids[i]`; −1 for missing ids."""

    scores: NDArray[np.float32]
    release: str
    missing_ids: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class RecommendQuery:
    """What a shopper's list is made from; see the proto for limits."""

    user_id: str = ""
    profile: Mapping[str, AttributeValue] | None = None
    session_item_ids: tuple[str, ...] = ()
    page_size: int = DEFAULT_PAGE
    filter: ItemFilter = NO_FILTER
    placement: str = "home"
    candidate_count: int = DEFAULT_CANDIDATES
    channels: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reason:
    """Why an item is shown; `kind` is the proto enum's name in lower case, e.g. `because_of_item`."""

    kind: str = "unspecified"
    item_id: str = ""
    item_title: str = ""
    segment: str = ""


@dataclass(frozen=True, slots=True)
class RecommendedItem:
    """An item of the list; `item` is None when its details could not be read."""

    item_id: str
    score: float
    channels: tuple[str, ...]
    reason: Reason
    item: Item | None


@dataclass(frozen=True, slots=True)
class Recommendation:
    """The list, and how it came about. `timings_ms` by stage: user, recall, rank, item, total."""

    items: tuple[RecommendedItem, ...]
    release: str
    attribution_token: str
    degraded: frozenset[Degradation] = frozenset()
    user_known: bool = False
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Contribution:
    """What one group of features adds to a score: `effect` is a difference of log-odds."""

    feature: str
    value: str
    effect: float


@dataclass(frozen=True, slots=True)
class ItemExplanation:
    """Why an item has its score; contributions strongest first."""

    item_id: str
    score: float
    contributions: tuple[Contribution, ...]


@dataclass(frozen=True, slots=True)
class ExplainResult:
    """Explanations in the order asked for, of one release."""

    items: tuple[ItemExplanation, ...]
    release: str
    missing_ids: tuple[str, ...] = ()
