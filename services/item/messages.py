"""Items ↔ messages of `ecrs.item.v1`."""

from __future__ import annotations

from collections.abc import Iterable

from ecrs.item.v1 import item_service_pb2 as pb

from engine.types import Category, Item
from services.common.convert import attributes_from_proto, fill_attributes


def item_to_proto(item: Item) -> pb.Item:
    """An item as a message; `available` is always set."""
    message = pb.Item(
        item_id=item.item_id,
        title=item.title,
        category_path=item.category_path,
        brand=item.brand,
        shop=item.shop,
        price=item.price,
        available=item.available,
        listed_at_ms=item.listed_at_ms,
        description=item.description,
        url=item.url,
        image_url=item.image_url,
        variant_of=item.variant_of,
    )
    fill_attributes(message.attributes, item.attributes)
    return message


def item_from_proto(message: pb.Item, field: str = "item") -> Item:
    """An item of a message, its attributes within their limits; `available` not set is true."""
    return Item(
        item_id=message.item_id,
        title=message.title,
        category_path=tuple(message.category_path),
        brand=message.brand,
        shop=message.shop,
        price=message.price if message.HasField("price") else None,
        available=message.available if message.HasField("available") else True,
        listed_at_ms=message.listed_at_ms,
        attributes=attributes_from_proto(message.attributes, f"{field}.attributes"),
        description=message.description,
        url=message.url,
        image_url=message.image_url,
        variant_of=message.variant_of,
    )


def categories_to_proto(categories: Iterable[Category]) -> list[pb.Category]:
    """A level of the tree with all below it."""
    return [
        pb.Category(name=one.name, item_count=one.item_count, children=categories_to_proto(one.children))
        for one in categories
    ]


def categories_from_proto(messages: Iterable[pb.Category]) -> tuple[Category, ...]:
    """A level of the tree with all below it."""
    return tuple(Category(one.name, one.item_count, categories_from_proto(one.children)) for one in messages)
