"""What may be asked of the search, and the tokens of its pages."""

from __future__ import annotations

import math
from dataclasses import replace
from hashlib import blake2b
from typing import NamedTuple

from engine.errors import InvalidArgument
from engine.types import SEARCH_ORDERS, SearchQuery
from engine.vocabulary import MAX_FILTER_VALUES
from services.common.validate import (
    check_id,
    check_number,
    check_range,
    check_text,
    coerced_page_size,
    decode_page_token,
    encode_page_token,
)
from services.item.search.columns import MAX_LEVELS

MAX_QUERY = 200  # characters
_KIND = "search"
_WORST = -100  # no fit is beyond
_FOREIGN = "is not a token of an earlier response of this call"


class Place(NamedTuple):
    """Where a page ended: the keys of its last item."""

    fit: int
    first: float
    second: float
    item_id: str


def check_query(query: SearchQuery) -> SearchQuery:
    """A search within its limits. Raises InvalidArgument with the contract's names of the fields."""
    if len(query.text) > MAX_QUERY:
        raise InvalidArgument("query", f"has {len(query.text)} characters, allowed are at most {MAX_QUERY}")
    check_text("query", query.text, 4 * MAX_QUERY)
    if len(query.category_path) > MAX_LEVELS:
        count = len(query.category_path)
        raise InvalidArgument("category_path", f"has {count} levels, allowed are at most {MAX_LEVELS}")
    if len(query.brands) > MAX_FILTER_VALUES:
        count = len(query.brands)
        raise InvalidArgument("brands", f"has {count} elements, allowed are at most {MAX_FILTER_VALUES}")
    for name, values in (("category_path", query.category_path), ("brands", query.brands)):
        for value in values:
            check_text(name, value)
    low, high = query.price_min, query.price_max
    if low is not None:
        check_number("price_min", low, 0.0)
    if high is not None:
        check_number("price_max", high, 0.0)
    if low is not None and high is not None and low > high:
        raise InvalidArgument("price_min", f"{low:g} is above price_max {high:g}")
    variant_of = check_id("variant_of", query.variant_of) if query.variant_of else ""
    check_order(query.order)
    return replace(query, variant_of=variant_of, page_size=coerced_page_size(query.page_size))


def check_order(order: str) -> str:
    """The name of an order, or "". Raises InvalidArgument."""
    if order and order not in SEARCH_ORDERS:
        raise InvalidArgument("order", f"{order[:100]!r} is none of {', '.join(SEARCH_ORDERS)}")
    return order


def check_depth(depth: int) -> int:
    """Levels of the category tree."""
    return check_range("depth", depth, 1, MAX_LEVELS)


def page_token(query: SearchQuery, place: Place) -> str:
    """An opaque token for "go on after this place" of the same search."""
    return encode_page_token(
        _KIND, f"{_digest(query)}:{place.fit}:{place.first!r}:{place.second!r}:{place.item_id}"
    )


def read_token(query: SearchQuery) -> Place | None:
    """The place in the query's token; None for the first page. Raises InvalidArgument for any other token."""
    text = decode_page_token(_KIND, query.page_token)
    if not text:
        return None
    digest, *rest = text.split(":", 4)
    if digest != _digest(query) or len(rest) != 4:
        raise InvalidArgument("page_token", _FOREIGN)
    try:
        place = Place(int(rest[0]), float(rest[1]), float(rest[2]), rest[3])
    except ValueError:
        raise InvalidArgument("page_token", _FOREIGN) from None
    if math.isnan(place.first) or math.isnan(place.second) or not _WORST <= place.fit <= 0:
        raise InvalidArgument("page_token", _FOREIGN)
    return place


def _digest(query: SearchQuery) -> str:
    """What must be the same from page to page; the size of the page may change."""
    same = (
        query.text,
        query.category_path,
        query.brands,
        query.price_min,
        query.price_max,
        query.order,
        query.include_unavailable,
        # Only where it is given, so that links to pages of before stay good.
        *((query.variant_of,) if query.variant_of else ()),
    )
    return blake2b(repr(same).encode(), digest_size=6).hexdigest()
