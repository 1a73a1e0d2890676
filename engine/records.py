"""An item's record: its JSON object in Redis and in a release's `items.jsonl.gz` (architecture, section 4).

The layout is the 2022 system's, whose programs go on reading it: the id is `sku_id`, the shop `shopid`, the
leaf category `cate`. These names stand here and in what speaks to that system, nowhere else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from engine.ids import canonical_id

Record = Mapping[str, Any]

ID, SHOP, LEAF = "sku_id", "shopid", "cate"

CONTENT = ("description", "url", "image_url", "variant_of")
"""Texts of an item that are fields of their own; left out of a record where they are empty."""

_COMMON = ("title", "category_path", "brand", "price", "available", "listed_at", *CONTENT)
FIELDS = frozenset(("item_id", "shop", ID, SHOP, LEAF, *_COMMON))
"""Names that a feature of a dataset cannot have: records use them."""


def item_record(
    item_id: str,
    *,
    title: str,
    category_path: Sequence[str],
    brand: str,
    shop: str,
    price: float | None,
    available: bool,
    listed_at: int | None,
    further: Mapping[str, Any],
) -> dict[str, Any]:
    """A record. `listed_at`: ms since the epoch; `further`: contents and features that are known."""
    return {
        ID: item_id,
        "brand": brand,
        SHOP: shop,
        LEAF: category_path[-1] if category_path else "",
        "title": title,
        "category_path": category_path,
        "price": price,
        "available": available,
        "listed_at": listed_at,
        **further,
    }


def record_id(record: Record) -> str:
    """The item's id; "" where there is none."""
    found = record.get(ID, record.get("item_id"))
    return "" if found is None else canonical_id(str(found))


def record_shop(record: Record) -> Any:
    """The shop or seller; None where there is none."""
    return record.get("shop", record.get(SHOP))


def category_path(record: Record) -> Sequence[Any]:
    """Category names from the root; the leaf alone in records of the 2022 system."""
    return record.get("category_path") or ([record[LEAF]] if record.get(LEAF) else [])
