"""Recording events with the user service, and merging an anonymous visit into a shopper at sign-in."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence

import structlog
from flask import current_app, request

from engine.errors import EcrsError
from engine.types import UserEvent
from engine.vocabulary import IMPRESSION
from webapp.shop import Shop
from webapp.shopper import Shopper, is_id
from webapp.storefront.cards import Card

MAX_TOKEN_BYTES = 256
MERGED_EVENTS = 100  # of an anonymous visit: the newest; the page of events is not larger
log = structlog.get_logger("webapp.recording")


def token_of(text: str) -> str:
    """The attribution token of a request; empty when it cannot be one of ours."""
    return text if is_id(text) and len(text.encode()) <= MAX_TOKEN_BYTES else ""


def event_id(*parts: object) -> str:
    """An id made of the parts of an event, so that it is stored once however often it is sent."""
    text = "\0".join(str(part) for part in parts)
    return hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest()


def record(shop: Shop, events: Sequence[UserEvent]) -> bool:
    """Whether the events were stored. Never an EcrsError: what a shopper does goes on without."""
    if not events:
        return True
    try:
        shop.services.user.record_user_events(events, shop.call_timeout_s)
    except EcrsError as error:
        types = sorted({event.type for event in events})
        log.warning("event.not_recorded", types=types, error=type(error).__name__, message=str(error))
        return False
    return True


def counts_as_view() -> bool:
    """Whether this request shows a page in a browser that holds a session of ours already.

    Robots hold none, and a page fetched ahead may never be looked at: neither leaves anything behind.
    """
    ahead = "prefetch" in request.headers.get("Sec-Purpose", "")
    returning = current_app.config["SESSION_COOKIE_NAME"] in request.cookies
    return request.method == "GET" and returning and not ahead


def record_shown(shop: Shop, shopper: Shopper, *lists: Iterable[Card]) -> None:
    """Record what this page shows of the recommender's lists, while the page goes out. Never an EcrsError.

    To be called when the page is made. All its lists are one call; each card says by its token which list it
    is of, and one without a token (found by a search, seen before) is of none.
    """
    if not counts_as_view():
        return
    shown = dict.fromkeys((card.token, card.item_id) for cards in lists for card in cards if card.token)
    batch = [
        UserEvent(shopper.user_id, item_id, IMPRESSION, attribution_token=token) for token, item_id in shown
    ]
    shop.impressions.send(shop.services.user, batch, shop.call_timeout_s)


def merge_visit(shop: Shop, anonymous_id: str, user_id: str) -> bool:
    """Make an anonymous visit part of a shopper's: events, cart, orders. Whether all of it succeeded.

    Each step may be done twice without harm: events keep their ids, or get one from what they say.
    """
    try:
        stores, users = shop.stores, shop.services.user
        cart = stores.carts.get(anonymous_id)
        if cart.lines:
            stores.carts.change(user_id, lambda own: own.merged(cart))
            stores.carts.delete(anonymous_id)
        stores.orders.move(anonymous_id, user_id)
        events, _ = users.list_user_events(anonymous_id, MERGED_EVENTS, "", shop.call_timeout_s)
        if events:
            users.record_user_events(
                [_moved(event, user_id) for event in reversed(events)], shop.call_timeout_s
            )
            users.delete_user(anonymous_id, shop.call_timeout_s)
    except EcrsError as error:
        log.warning("visit.not_merged", error=type(error).__name__, message=str(error))
        return False
    return True


def _moved(event: UserEvent, user_id: str) -> UserEvent:
    name = event.event_id or event_id(event.user_id, event.item_id, event.type, event.at_ms)
    return UserEvent(
        user_id, event.item_id, event.type, event.at_ms, event.value, event.attribution_token, name
    )
