"""The item service's logic: the catalogue and what of it can be bought."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

from engine.errors import InvalidArgument, NotFound, Unavailable
from engine.item_content import MAX_ADDRESS_BYTES, MAX_DESCRIPTION, is_picture_address, is_web_address
from engine.records import FIELDS
from engine.types import Category, Item, SearchQuery, SearchResult
from services.common.validate import (
    check_attributes,
    check_count,
    check_id,
    check_ids,
    check_number,
    check_range,
    check_text,
    coerced_page_size,
    decode_page_token,
    encode_page_token,
)
from services.item.search.columns import MAX_LEVELS
from services.item.search.engine import SearchEngine
from services.item.search.query import check_depth, check_query

_LAST_MS = 253_402_300_799_999  # the end of the year 9999


class ItemStore(Protocol):
    """Where items are kept. All raise Unavailable when the store does not answer."""

    def items(self, item_ids: Sequence[str]) -> list[Item | None]: ...

    def write(self, items: Sequence[Item]) -> None: ...

    def set_available(self, item_ids: Sequence[str], available: bool) -> list[bool]: ...

    def ids_after(self, item_id: str, count: int) -> list[str]: ...


class Search(Protocol):
    """The index that is current. Raises Unavailable until there is one."""

    @property
    def engine(self) -> SearchEngine: ...


class ItemService:
    """Implements `services.common.ports.ItemPort` over a store, and an index of it where one searches.

    `timeout_s` is the port's; the store's own time limit (a quarter of a second) is what bounds a call here.
    """

    def __init__(self, store: ItemStore, search: Search | None = None) -> None:
        self._store, self._search = store, search

    def get_item(self, item_id: str, timeout_s: float) -> Item:
        """One item. Raises NotFound."""
        item_id = check_id("item_id", item_id)
        (item,) = self._store.items([item_id])
        if item is None:
            raise NotFound(f"there is no item {item_id!r}")
        return item

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        """Items in the order asked for, without descriptions, and the ids that are not stored."""
        found, missing = self._split(check_ids("item_ids", item_ids))
        return list(map(_brief, found)), missing

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int:
        """Create or replace items; all are checked before the first is written."""
        check_count("items", items)
        checked = [check_item(f"items[{at}]", item) for at, item in enumerate(items)]
        distinct = {item.item_id: item for item in checked}  # of one id twice, the last counts
        self._store.write(list(distinct.values()))
        return len(distinct)

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]:
        """Mark items as available or not; how many are now so, and the ids that are not stored."""
        ids = check_ids("item_ids", item_ids)
        stored = self._store.set_available(ids, available)
        return sum(stored), [item_id for item_id, is_stored in zip(ids, stored, strict=True) if not is_stored]

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]:
        """A page of the catalogue in the order of the ids, and the next page's token."""
        page_size = coerced_page_size(page_size)
        ids = self._store.ids_after(decode_page_token("items", page_token), page_size + 1)
        page = ids[:page_size]
        found, _ = self._split(page) if page else ([], [])
        return found, encode_page_token("items", page[-1]) if len(ids) > page_size else ""

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult:
        """A page of what fits, as the store has it now, and counts over all that fits. Raises Unavailable."""
        query = check_query(query)
        found = self._engine().search(query)
        items, _ = self._split(found.item_ids) if found.item_ids else ([], [])
        return SearchResult(
            tuple(map(_brief, items)),
            found.next_page_token,
            found.total_count,
            tuple(found.brands),
            tuple(found.categories),
            found.corrected_text,
        )

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]:
        """The categories of what is available, most items first. Raises Unavailable."""
        check_depth(depth)
        return self._engine().categories(depth)

    def _engine(self) -> SearchEngine:
        if self._search is None:
            raise Unavailable("this item service was started without its search")
        return self._search.engine

    def _split(self, ids: Sequence[str]) -> tuple[list[Item], list[str]]:
        found = self._store.items(ids)
        missing = [item_id for item_id, item in zip(ids, found, strict=True) if item is None]
        return [item for item in found if item is not None], missing


def check_item(path: str, item: Item) -> Item:
    """An item within its limits, its id canonical. Raises InvalidArgument with a field below `path`."""
    item_id = check_id(f"{path}.item_id", item.item_id)
    check_text(f"{path}.title", item.title)
    check_text(f"{path}.brand", item.brand)
    check_text(f"{path}.shop", item.shop)
    if len(item.category_path) > MAX_LEVELS:
        raise InvalidArgument(
            f"{path}.category_path", f"has {len(item.category_path)} levels, allowed are at most {MAX_LEVELS}"
        )
    for level in item.category_path:
        check_text(f"{path}.category_path", level)
    if item.price is not None:
        check_number(f"{path}.price", item.price, 0.0)
    check_range(f"{path}.listed_at_ms", item.listed_at_ms, 0, _LAST_MS)
    variant_of = _check_content(path, item)
    check_attributes(f"{path}.attributes", item.attributes)
    if taken := FIELDS.intersection(item.attributes):
        raise InvalidArgument(f"{path}.attributes.{min(taken)}", "is a field of its own, not an attribute")
    if (item_id, variant_of) == (item.item_id, item.variant_of):
        return item
    return replace(item, item_id=item_id, variant_of=variant_of)


def _check_content(path: str, item: Item) -> str:
    """Check description and links; returns the canonical id of what the item is a variant of, or nothing."""
    if len(item.description) > MAX_DESCRIPTION:
        raise InvalidArgument(
            f"{path}.description",
            f"has {len(item.description)} characters, allowed are at most {MAX_DESCRIPTION}",
        )
    check_text(f"{path}.description", item.description, 4 * MAX_DESCRIPTION)
    for name, address, fits, form in (
        ("url", item.url, is_web_address, "must be an http:// or https:// address"),
        (
            "image_url",
            item.image_url,
            is_picture_address,
            "must be an http:// or https:// address, or a path that begins with one /",
        ),
    ):
        check_text(f"{path}.{name}", address, MAX_ADDRESS_BYTES)
        if address and not fits(address):
            raise InvalidArgument(f"{path}.{name}", form)
    if not item.variant_of:
        return ""
    variant_of = check_id(f"{path}.variant_of", item.variant_of)
    if variant_of == check_id(f"{path}.item_id", item.item_id):
        raise InvalidArgument(f"{path}.variant_of", "must be the id of another item")
    return variant_of


def _brief(item: Item) -> Item:
    """The item as lists have it: a page of long descriptions would not fit into a message."""
    return replace(item, description="") if item.description else item
