"""The types that travel between services, and the port (Protocol) of each service; of items: `item_port`.

A service in process and its gRPC client implement the same port, so that callers cannot tell them apart and
one suite tests both. All calls are synchronous, take `timeout_s` (seconds that remain for the call) and raise
`services.common.errors`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from models.features import UserContext
from models.features.ids import canonical_ids
from services.common.item_port import AttributeValue, Item

EVENT_TYPES = ("view", "click", "cart", "purchase", "favorite", "comment", "rate", "dislike", "impression")
"""Live event types; index + 1 is the number of the proto enum."""

IMPRESSION = "impression"
"""The one type that is no part of a shopper's history: an item was shown, whatever the shopper did."""

CHANNELS = ("two_tower", "item_to_item", "bought_again", "popular", "segment", "trending", "new")
"""Recall channels in the order of preference when two give an item the same place."""

SIMILAR_CHANNELS = ("item_to_item", "two_tower", "content")
"""Channels of similar items: bought together, near in the embedding, alike by what is written about them."""


class Degradation(Enum):
    """A part that did not answer; the list was made without it. Values are those of the proto enum."""

    USER = 1
    RECALL = 2
    INDEX = 3
    RANK = 4
    ITEM = 5
    CANDIDATES = 6


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
class Candidate:
    """An item that recall names; `channels[0]` decided its place."""

    item_id: str
    score: float
    channels: tuple[str, ...]
    reason_item_id: str = ""
    reason_segment: str = ""


@dataclass(frozen=True, slots=True)
class ChannelReport:
    """How many items a channel named, or why it failed."""

    channel: str
    found: int
    error: str = ""


@dataclass(frozen=True, slots=True)
class RecallResult:
    """Candidates, best first, of one release."""

    candidates: tuple[Candidate, ...]
    release: str
    degraded: frozenset[Degradation] = frozenset()
    channels: tuple[ChannelReport, ...] = ()


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
    page_size: int = 20
    filter: ItemFilter = NO_FILTER
    placement: str = "home"
    candidate_count: int = 200
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


@runtime_checkable
class UserPort(Protocol):
    """Profiles and events of shoppers."""

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile: ...

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]: ...

    def list_users(
        self, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserProfile], str]: ...

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int: ...

    def get_user_context(self, user_id: str, max_events: int, timeout_s: float) -> KnownContext: ...

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int: ...

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]: ...

    def delete_user(self, user_id: str, timeout_s: float) -> bool: ...


@runtime_checkable
class RecallPort(Protocol):
    """From the catalogue to candidates. `release` "" = the current one."""

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult: ...

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult: ...

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[NDArray[np.float32], str]: ...


@runtime_checkable
class RankPort(Protocol):
    """From candidates to scores."""

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult: ...

    def explain_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> ExplainResult: ...


@runtime_checkable
class RecommendPort(Protocol):
    """The list a shopper sees."""

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation: ...

    def similar_items(
        self,
        item_id: str,
        timeout_s: float,
        page_size: int = 20,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation: ...
