"""The port (Protocol) of each service.

What the chain of a request asks of each is its stage in `engine/chain.py`; here is the rest. A service in
process and its gRPC client implement the same port, so that callers cannot tell them apart and one suite
tests both. All calls are synchronous, take `timeout_s` (seconds that remain for the call) and raise
`engine.errors`.
"""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from engine.candidates import Rows
from engine.chain import ItemStage, RankStage, RecallStage, UserStage
from engine.features import UserContext
from engine.types import (
    NO_FILTER,
    Category,
    ExplainResult,
    Item,
    ItemFilter,
    RankResult,
    Recommendation,
    RecommendQuery,
    SearchQuery,
    SearchResult,
    UserEvent,
    UserProfile,
)
from engine.vocabulary import DEFAULT_PAGE


@runtime_checkable
class ItemPort(ItemStage, Protocol):
    """The catalogue."""

    def get_item(self, item_id: str, timeout_s: float) -> Item: ...

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int: ...

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]: ...

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]: ...

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult: ...

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]: ...


@runtime_checkable
class UserPort(UserStage, Protocol):
    """Profiles and events of shoppers."""

    def get_user(self, user_id: str, timeout_s: float) -> UserProfile: ...

    def batch_get_users(
        self, user_ids: Sequence[str], timeout_s: float
    ) -> tuple[list[UserProfile], list[str]]: ...

    def list_users(
        self, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserProfile], str]: ...

    def upsert_users(self, users: Sequence[UserProfile], timeout_s: float) -> int: ...

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int: ...

    def list_user_events(
        self, user_id: str, page_size: int, page_token: str, timeout_s: float
    ) -> tuple[list[UserEvent], str]: ...

    def delete_user(self, user_id: str, timeout_s: float) -> bool: ...


@runtime_checkable
class RecallPort(RecallStage, Protocol):
    """From the catalogue to candidates. `release` "" = the current one."""

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[NDArray[np.float32], str]: ...


@runtime_checkable
class RankPort(RankStage, Protocol):
    """From candidates to scores."""

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult: ...

    def rank_rows(self, context: UserContext, rows: Rows, timeout_s: float, release: str) -> RankResult:
        """By rows of a release, int64 [C]; those that it lacks have the score −1."""
        ...

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
        page_size: int = DEFAULT_PAGE,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation: ...
