"""What the shopper did last: for the reasons of a list, and for the rail of products looked at."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import structlog

from engine.errors import EcrsError
from engine.types import Item
from webapp.shop import Shop
from webapp.shopper import Shopper
from webapp.storefront.cards import Card, item_card
from webapp.storefront.wording import newest_types

EVENTS_READ = 100
SEEN_SHOWN = 10
VIEW_TYPES = frozenset({"view", "click"})
log = structlog.get_logger("webapp.seen")


@dataclass(frozen=True)
class Past:
    """`done`: the type of the newest event by item; `seen`: items looked at, newest first."""

    done: Mapping[str, str] = field(default_factory=dict)
    seen: tuple[Item, ...] = ()

    def cards(self, shop: Shop, without: str = "") -> tuple[Card, ...]:
        """The items looked at, but for one."""
        dataset = shop.dataset.get()
        return tuple(item_card(item, dataset) for item in self.seen if item.item_id != without)


def read_past(shop: Shop, shopper: Shopper) -> Past:
    """The shopper's last events; less or nothing when they cannot be read. Never an EcrsError."""
    if shopper.just_arrived:
        return Past()
    users = shop.services.user
    try:
        events, _ = users.list_user_events(shopper.user_id, EVENTS_READ, "", shop.call_timeout_s)
    except EcrsError as error:
        log.warning("events.not_read", error=type(error).__name__, message=str(error))
        return Past()
    done = newest_types(events)
    looked = {event.item_id: None for event in events if event.type in VIEW_TYPES}
    ids = [item_id for item_id in looked if done[item_id] != "dislike"][: SEEN_SHOWN + 1]
    try:
        found = shop.stand_ins.items(ids, shop.call_timeout_s)[0] if ids else []
    except EcrsError as error:
        log.warning("seen.not_read", error=type(error).__name__, message=str(error))
        found = []
    place = {item_id: number for number, item_id in enumerate(ids)}
    return Past(done, tuple(sorted(found, key=lambda item: place.get(item.item_id, len(ids)))))
