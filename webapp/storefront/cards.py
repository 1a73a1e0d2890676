"""What a page shows of an item in a list: plain values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from engine.types import Item, RecommendedItem
from webapp.dataset import DatasetInfo
from webapp.pictures import depicts
from webapp.storefront.why import why_code
from webapp.storefront.wording import category_text, money, title_of


@dataclass(frozen=True)
class Card:
    """One item of a list, in words; `token` goes back with events on it, `why` with the link to it."""

    item_id: str
    title: str
    brand: str
    category: str
    drawing: str
    """What the picture is drawn from: the category path and the title."""
    price: str
    reason: str = ""
    token: str = ""
    why: str = ""
    available: bool = True
    image: str = ""


def make_card(
    found: RecommendedItem,
    token: str,
    dataset: DatasetInfo,
    reason: Callable[[RecommendedItem], str],
    why: str | None = None,
) -> Card:
    """The card of a recommended item; an item whose details are missing shows its number.

    `reason` words it; `why` is its code when it is not that of the item's own reason.
    """
    item = found.item
    return Card(
        item_id=found.item_id,
        title=title_of(item, found.item_id),
        brand=item.brand if item else "",
        category=category_text(item) if item else "",
        drawing=drawing(item) if item else "",
        price=money(item.price, dataset.currency) if item else "",
        reason=reason(found),
        token=token,
        why=why_code(found.reason) if why is None else why,
        available=item.available if item else True,
        image=item.image_url if item else "",
    )


def item_card(item: Item, dataset: DatasetInfo) -> Card:
    """The card of an item that nobody recommended: out of a search, or seen before."""
    return Card(
        item_id=item.item_id,
        title=title_of(item, item.item_id),
        brand=item.brand,
        category=category_text(item),
        drawing=drawing(item),
        price=money(item.price, dataset.currency),
        available=item.available,
        image=item.image_url,
    )


def drawing(item: Item) -> str:
    """The words that decide an item's picture: none unless its category says what kind of thing it is.

    A title alone is often about something else ("Cat mug", "Heart of wicker"): see `webapp.pictures`.
    """
    categories = " ".join(item.category_path)
    return f"{categories} {item.title}" if depicts(categories) else ""
