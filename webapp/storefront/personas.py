"""The demo shoppers that a visitor may become: who they are, and what they mostly buy."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import structlog

from engine.errors import EcrsError
from engine.types import AttributeValue, Item, UserEvent, UserProfile
from webapp.shop import Shop
from webapp.shopper import is_registered_id
from webapp.storefront.wording import profile_lines

PER_PAGE = 24
FRESH_S = 3600.0  # histories of demo shoppers hardly change
MAX_PAGE_TOKEN = 512
EVENTS_READ = 30  # the newest, of each: enough to tell, and one look-up of items for a page
ITEMS_READ = 1000  # in one look-up
MOSTLY_SHOWN = 3
log = structlog.get_logger("webapp.personas")


def personas(shop: Shop, token: str) -> dict[str, Any]:
    """One page of demo shoppers, in the words of this request's language.

    Shared by all, so without those who came by the form or anonymously. `personas`: a list of `user_id`,
    `profile` (label, value) and `mostly` (categories); `next_token`: of the next page.
    """
    page = shop.shared.fetch(f"personas:{token}", FRESH_S, lambda: _load(shop, token), dict)
    dataset = shop.dataset.get()
    shown = [
        {
            "user_id": one["user_id"],
            "profile": profile_lines(_attributes(one["attributes"]), dataset),
            "mostly": one["mostly"],
        }
        for one in page["personas"]
    ]
    shown.sort(key=lambda persona: not persona["profile"])  # those one can picture come first
    return {"personas": shown, "next_token": page["next_token"]}


def _load(shop: Shop, token: str) -> dict[str, Any]:
    users, next_token = shop.services.user.list_users(PER_PAGE, token, shop.call_timeout_s)
    demo = [user for user in users if not is_registered_id(user.user_id)]
    bought = {user.user_id: _bought(shop, user) for user in demo}
    items = _items(shop, bought)
    return {
        "personas": [
            {
                "user_id": user.user_id,
                "attributes": dict(user.attributes),
                "mostly": _mostly(bought[user.user_id], items),
            }
            for user in demo
        ],
        "next_token": next_token,
    }


def _bought(shop: Shop, user: UserProfile) -> list[UserEvent]:
    try:
        events, _ = shop.services.user.list_user_events(user.user_id, EVENTS_READ, "", shop.call_timeout_s)
    except EcrsError as error:
        log.warning("persona.events_not_read", error=type(error).__name__, message=str(error))
        return []
    return [event for event in events if event.type == "purchase"]


def _items(shop: Shop, bought: Mapping[str, list[UserEvent]]) -> dict[str, Item]:
    ids = list(dict.fromkeys(event.item_id for events in bought.values() for event in events))
    if not ids:
        return {}
    try:
        found, _ = shop.services.item.batch_get_items(ids[:ITEMS_READ], shop.call_timeout_s)
    except EcrsError as error:
        log.warning("persona.items_not_read", error=type(error).__name__, message=str(error))
        return {}
    return {item.item_id: item for item in found}


def _mostly(events: list[UserEvent], items: Mapping[str, Item]) -> list[str]:
    """The categories bought most often, of the deepest level that says something."""
    named = (items[event.item_id].category_path for event in events if event.item_id in items)
    counts = Counter(path[min(1, len(path) - 1)] for path in named if path)
    return [name for name, _ in counts.most_common(MOSTLY_SHOWN)]


def _attributes(stored: Mapping[str, Any]) -> dict[str, AttributeValue]:
    """As they were before JSON: its lists are tuples here."""
    return {name: tuple(value) if isinstance(value, list) else value for name, value in stored.items()}
