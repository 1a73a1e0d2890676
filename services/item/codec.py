"""Items as JSON in Redis: the original's fields and ours in one object."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from engine.records import CONTENT, FIELDS, category_path, item_record, record_shop
from engine.types import AttributeValue, Item


def item_to_json(item: Item) -> str:
    """The JSON object of `{id}##product_info`; what the original's readers want is text."""
    return json.dumps(
        item_record(
            item.item_id,
            title=item.title,
            category_path=item.category_path,
            brand=item.brand,
            shop=item.shop,
            price=item.price,
            available=item.available,
            listed_at=item.listed_at_ms or None,
            # Most items have none of these contents: what is empty is left out.
            further={
                **{name: text for name in CONTENT if (text := getattr(item, name))},
                **item.attributes,
            },
        ),
        ensure_ascii=False,
    )


def item_from_json(item_id: str, raw: str | bytes, *, available: bool) -> Item:
    """The item of a JSON object, ours or one with the original's fields only. ValueError if it is none."""
    values: Mapping[str, Any] = json.loads(raw)
    if not isinstance(values, dict):
        raise ValueError("not a JSON object")
    price = values.get("price")
    attributes: dict[str, AttributeValue] = {
        name: tuple(str(text) for text in value) if isinstance(value, list) else value
        for name, value in values.items()
        if name not in FIELDS and isinstance(value, str | int | float | list)
    }
    return Item(
        item_id=item_id,
        title=str(values.get("title") or ""),
        category_path=tuple(str(level) for level in category_path(values)),
        brand=str(values.get("brand") or ""),
        shop=str(record_shop(values) or ""),
        price=float(price) if isinstance(price, int | float) else None,
        available=available,
        listed_at_ms=int(values.get("listed_at") or 0),
        attributes=attributes,
        **{name: str(values.get(name) or "") for name in CONTENT},
    )
