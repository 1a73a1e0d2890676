"""The lists of the shop's pages, and what stands in for them when a service does not answer."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field

import structlog

from services.common.errors import EcrsError
from services.common.ports import Item, Recommendation, RecommendQuery
from webapp.shop import Shop
from webapp.shopper import Shopper
from webapp.storefront.cards import Card, make_card
from webapp.storefront.wording import newest_types, notices, reason_text, similar_reason

FOR_YOU_SIZE = 24
RAIL_SIZE = 24  # enough to stand in for the whole list
SIMILAR_SIZE = 8
EVENTS_READ = 100
POPULAR_FRESH_S = 60.0
WINDOW_SHOPPER = "anon-shop-window"
"""A visitor who never does anything: whose list is what is popular."""
log = structlog.get_logger("webapp.feeds")


@dataclass(frozen=True)
class Feed:
    """A list as shown. `failed`: it is a stand-in, and trying again may help."""

    cards: tuple[Card, ...] = ()
    notices: tuple[str, ...] = ()
    failed: bool = False
    release: str = ""
    took_ms: float = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=dict)


def for_you(shop: Shop, shopper: Shopper) -> Feed:
    """The shopper's own list; if `recommend` fails, the popular rail and a notice. Never an EcrsError."""
    started = time.perf_counter()
    query = RecommendQuery(user_id=shopper.user_id, page_size=FOR_YOU_SIZE, placement="home")
    try:
        answer = shop.services.recommend.recommend(query, shop.list_timeout_s)
    except EcrsError as error:
        log.warning("for_you.failed", error=type(error).__name__, message=str(error))
        return _stand_in(shop)
    done = _done(shop, shopper, answer)
    return Feed(
        cards=_cards(shop, answer, done),
        notices=tuple(notices(answer.degraded)),
        release=answer.release,
        took_ms=(time.perf_counter() - started) * 1000,
        timings_ms=answer.timings_ms,
    )


def popular(shop: Shop) -> tuple[Card, ...]:
    """What everybody likes, the same for all; a copy of the last day when `recommend` fails, else nothing."""

    def load() -> list[dict[str, str]]:
        query = RecommendQuery(user_id=WINDOW_SHOPPER, page_size=RAIL_SIZE, placement="popular")
        answer = shop.services.recommend.recommend(query, shop.list_timeout_s)
        return [asdict(card) for card in _cards(shop, answer, {})]

    try:
        return tuple(Card(**values) for values in shop.shared.fetch("popular", POPULAR_FRESH_S, load))
    except EcrsError as error:
        log.warning("popular.failed", error=type(error).__name__)
        return ()


def similar(shop: Shop, item: Item, title: str) -> Feed:
    """Items like this one; empty with a notice when they cannot be read."""
    try:
        answer = shop.services.recommend.similar_items(
            item.item_id, shop.list_timeout_s, page_size=SIMILAR_SIZE
        )
    except EcrsError as error:
        log.warning("similar.failed", error=type(error).__name__, message=str(error))
        return Feed(failed=True, notices=("Similar products are not available at the moment.",))
    dataset = shop.dataset.get()
    return Feed(
        cards=tuple(
            make_card(found, answer.attribution_token, dataset, lambda found: similar_reason(found, title))
            for found in answer.items
            if found.item_id != item.item_id
        ),
        notices=tuple(notices(answer.degraded)),
        release=answer.release,
    )


def _cards(shop: Shop, answer: Recommendation, done: Mapping[str, str]) -> tuple[Card, ...]:
    dataset = shop.dataset.get()
    return tuple(
        make_card(
            found, answer.attribution_token, dataset, lambda one: reason_text(one.reason, dataset, done)
        )
        for found in answer.items
    )


def _stand_in(shop: Shop) -> Feed:
    cards = popular(shop)
    text = (
        "Your own suggestions are not available at the moment. Here is what is popular."
        if cards
        else "Suggestions are not available at the moment."
    )
    return Feed(cards=cards, notices=(text,), failed=True)


def _done(shop: Shop, shopper: Shopper, answer: Recommendation) -> dict[str, str]:
    """What the shopper last did with the items that reasons name; read only when a reason names one."""
    if not any(found.reason.kind == "because_of_item" for found in answer.items):
        return {}
    try:
        events, _ = shop.services.user.list_user_events(shopper.user_id, EVENTS_READ, "", shop.call_timeout_s)
    except EcrsError as error:
        log.warning("events.not_read", error=type(error).__name__, message=str(error))
        return {}
    return newest_types(events)
