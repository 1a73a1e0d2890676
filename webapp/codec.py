"""Lists and items as JSON and back, for the shared cache: of an item, what cards show."""

from __future__ import annotations

from typing import Any

from engine.types import Item, Reason, Recommendation, RecommendedItem, SearchResult

Json = dict[str, Any]


def item_to_json(item: Item) -> Json:
    """What a card needs of an item."""
    return {
        "id": item.item_id,
        "title": item.title,
        "path": list(item.category_path),
        "brand": item.brand,
        "price": item.price,
        "available": item.available,
        "image": item.image_url,
    }


def item_from_json(raw: Json) -> Item:
    """The item of `item_to_json`: without its further attributes."""
    return Item(
        item_id=raw["id"],
        title=raw["title"],
        category_path=tuple(raw["path"]),
        brand=raw["brand"],
        price=raw["price"],
        available=raw["available"],
        image_url=raw.get("image", ""),  # not in copies that an older front end left
    )


def list_to_json(answer: Recommendation) -> Json:
    """A shared list as JSON."""
    return {
        "token": answer.attribution_token,
        "release": answer.release,
        "items": [
            {
                "id": found.item_id,
                "score": found.score,
                "channels": list(found.channels),
                "reason": [
                    found.reason.kind,
                    found.reason.item_id,
                    found.reason.item_title,
                    found.reason.segment,
                ],
                "item": item_to_json(found.item) if found.item else None,
            }
            for found in answer.items
        ],
    }


def list_from_json(raw: Json) -> Recommendation:
    """The list of `list_to_json`."""
    return Recommendation(
        items=tuple(
            RecommendedItem(
                one["id"],
                one["score"],
                tuple(one["channels"]),
                Reason(*one["reason"]),
                item_from_json(one["item"]) if one["item"] else None,
            )
            for one in raw["items"]
        ),
        release=raw["release"],
        attribution_token=raw["token"],
    )


def search_to_json(found: SearchResult) -> Json:
    """A page of a search as JSON."""
    return {
        "items": [item_to_json(item) for item in found.items],
        "next": found.next_page_token,
        "total": found.total_count,
        "brands": [list(one) for one in found.brands],
        "categories": [list(one) for one in found.categories],
        "corrected": found.corrected_text,
    }


def search_from_json(raw: Json) -> SearchResult:
    """The page of `search_to_json`."""
    return SearchResult(
        items=tuple(item_from_json(one) for one in raw["items"]),
        next_page_token=raw["next"],
        total_count=raw["total"],
        brands=tuple((name, count) for name, count in raw["brands"]),
        categories=tuple((name, count) for name, count in raw["categories"]),
        corrected_text=raw["corrected"],
    )
