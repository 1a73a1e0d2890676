"""Data in words: reasons, channels, missing parts, prices, profiles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from services.common.ports import AttributeValue, Degradation, Item, Reason, RecommendedItem, UserEvent
from webapp.dataset import DatasetInfo

CURRENCY_SIGNS = {"USD": "$", "EUR": "€", "GBP": "£", "CNY": "¥", "JPY": "¥"}
REASONS = {
    "bought_again": "You bought this before",
    "for_you": "Chosen for your taste",
    "popular": "Popular with everyone",
    "trending": "Trending right now",
    "new": "New in the shop",
}
CHANNELS = {
    "two_tower": "taste model",
    "item_to_item": "goes with",
    "bought_again": "bought again",
    "popular": "popular",
    "segment": "like you",
    "trending": "trending",
    "new": "new",
}
DID = {
    "view": "looked at",
    "click": "looked at",
    "cart": "chose",
    "favorite": "marked as a favourite",
    "comment": "commented on",
    "rate": "rated",
}
"""Completes "Because you …"; whatever is not here was bought."""
DEGRADED = {
    Degradation.USER: "We cannot read your history at the moment, so this list is made from what is popular.",
    Degradation.RECALL: "Our taste model is resting; other suggestions fill the list.",
    Degradation.INDEX: "The fast index does not answer; we searched the slow way, with the same result.",
    Degradation.RANK: "The fine ordering is not available; the list is in a rougher order.",
    Degradation.ITEM: "Product details are not available right now; some products show only their number.",
    Degradation.CANDIDATES: "Your own suggestions are away right now; this is what was popular last.",
}


def reason_text(reason: Reason, dataset: DatasetInfo, done: Mapping[str, str]) -> str:
    """Why an item is shown. `done`: the type of the shopper's newest event by item id, as far as known."""
    if reason.kind == "because_of_item" and (reason.item_title or reason.item_id):
        did = DID.get(done.get(reason.item_id, ""), "bought")
        return f"Because you {did} {reason.item_title or reason.item_id}"
    if reason.kind == "popular_in_segment" and reason.segment:
        return (
            f"Popular with {plural(dataset.user_noun)} like yours ({segment_text(reason.segment, dataset)})"
        )
    return REASONS.get(reason.kind, "Picked for you")


def segment_text(segment: str, dataset: DatasetInfo) -> str:
    """`age=45-54` as "age 45-54"."""
    name, _, value = segment.partition("=")
    return f"{dataset.feature(name).label().lower()} {value}".strip()


def similar_reason(found: RecommendedItem, title: str) -> str:
    """Why an item stands under the one called `title`."""
    return f"Often taken together with {title}" if "item_to_item" in found.channels else f"Similar to {title}"


def newest_types(events: Iterable[UserEvent]) -> dict[str, str]:
    """The type of the newest event of each item; `events` newest first."""
    newest: dict[str, str] = {}
    for event in events:
        newest.setdefault(event.item_id, event.type)
    return newest


def channel_text(channel: str) -> str:
    """A recall channel's name for shoppers."""
    return CHANNELS.get(channel, channel.replace("_", " "))


def notices(degraded: Iterable[Degradation]) -> list[str]:
    """What was missing, in a stable order."""
    return [DEGRADED[part] for part in sorted(degraded, key=lambda part: part.value)]


def money(price: float | None, currency: str) -> str:
    """A price; empty when unknown."""
    if price is None:
        return ""
    sign = CURRENCY_SIGNS.get(currency)
    return f"{sign}{price:,.2f}" if sign else f"{price:,.2f} {currency}".strip()


def title_of(item: Item | None, item_id: str) -> str:
    """The title, or the number of an item without one."""
    return item.title if item and item.title else f"Product {item_id}"


def category_text(item: Item) -> str:
    """The deepest level of the category path that the title does not say already."""
    title = item.title.lower()
    return next((level for level in reversed(item.category_path) if level.lower() not in title), "")


def value_text(value: AttributeValue) -> str:
    """An attribute's value."""
    if isinstance(value, tuple):
        return ", ".join(value)
    return f"{value:g}" if isinstance(value, float) else value


def profile_lines(attributes: Mapping[str, AttributeValue], dataset: DatasetInfo) -> list[tuple[str, str]]:
    """(name, value) of what is known of a shopper, in the dataset's order; the id is no feature."""
    order = [feature.name for feature in dataset.user_features]
    names = [name for name in order if name in attributes]
    names += sorted(name for name in attributes if name not in order and name != "user_id")
    lines = ((dataset.feature(name).label(), value_text(attributes[name])) for name in names)
    return [(label, value) for label, value in lines if value]


def plural(noun: str) -> str:
    """More than one of them."""
    return f"{noun[:-1]}ies" if noun.endswith("y") else f"{noun}s"
