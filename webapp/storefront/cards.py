"""What a page shows of a recommended item: plain values, so that a shared rail can be cached as JSON."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from services.common.ports import RecommendedItem
from webapp.dataset import DatasetInfo
from webapp.storefront.wording import category_text, channel_text, money, title_of


@dataclass(frozen=True)
class Card:
    """One item of a list, in words; `token` goes back with events on it."""

    item_id: str
    title: str
    brand: str
    category: str
    drawing: str
    """What the picture is drawn from: the category path and the title."""
    price: str
    score: str
    reason: str
    channel: str
    token: str


def make_card(
    found: RecommendedItem, token: str, dataset: DatasetInfo, reason: Callable[[RecommendedItem], str]
) -> Card:
    """The card of an item; an item whose details are missing shows its number."""
    item = found.item
    return Card(
        item_id=found.item_id,
        title=title_of(item, found.item_id),
        brand=item.brand if item else "",
        category=category_text(item) if item else "",
        drawing=" ".join((*item.category_path, item.title)) if item else "",
        price=money(item.price, dataset.currency) if item else "",
        score=f"{found.score:.3f}",
        reason=reason(found),
        channel=channel_text(found.channels[0]) if found.channels else "",
        token=token,
    )
