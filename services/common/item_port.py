"""Items, searching them, and the port of the item service. See `services.common.ports`."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, runtime_checkable

AttributeValue = str | float | tuple[str, ...]
"""A category, a number, or several categories."""


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
    page_size: int = 20
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
    children: "tuple[Category, ...]" = ()


@runtime_checkable
class ItemPort(Protocol):
    """The catalogue."""

    def get_item(self, item_id: str, timeout_s: float) -> Item: ...

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]: ...

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int: ...

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]: ...

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]: ...

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult: ...

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]: ...
