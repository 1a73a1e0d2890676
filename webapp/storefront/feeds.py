"""The lists of the shop's pages, and what stands in for them when a service does not answer.

Lists that are the same for everybody (`shared_rail`, `similar`) come through the shared cache; a shopper's
own never.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from engine.errors import EcrsError
from engine.types import NO_FILTER, Item, Reason, Recommendation, RecommendedItem, RecommendQuery
from webapp.cache import OUTAGES
from webapp.codec import list_from_json, list_to_json
from webapp.i18n import gettext as _
from webapp.shop import Shop
from webapp.shopper import Shopper
from webapp.storefront.cards import Card, make_card
from webapp.storefront.why import why_code
from webapp.storefront.wording import notices, reason_text
from webapp.together import Pending

FOR_YOU_SIZE = 24
RAIL_SIZE = 24  # enough to stand in for the whole list
RAIL_CANDIDATES = 60  # a short list of one channel needs no more, and each costs the page time
RAIL_SHOWN = 10
SHARED_FRESH_S = 60.0
SIMILAR_KEPT_S = 3600  # there are as many as products
WINDOW_SHOPPER = "anon-shop-window"
"""The user id that shared lists are asked for with: it has no events, so its lists are the same for all."""
log = structlog.get_logger("webapp.feeds")


@dataclass(frozen=True)
class Feed:
    """A list as shown. `failed`: it is missing or a stand-in, and trying again may help."""

    cards: tuple[Card, ...] = ()
    notices: tuple[str, ...] = ()
    failed: bool = False
    release: str = ""
    took_ms: float = 0.0
    timings_ms: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Timed:
    """A list and how long it took to get."""

    answer: Recommendation
    took_ms: float


def ask_for_you(shop: Shop, shopper: Shopper) -> Timed:
    """The shopper's own list. Raises EcrsError."""
    started = time.perf_counter()
    query = RecommendQuery(user_id=shopper.user_id, page_size=FOR_YOU_SIZE, placement="home")
    answer = shop.services.recommend.recommend(query, shop.list_timeout_s)
    return Timed(answer, (time.perf_counter() - started) * 1000)


def ask_buy_again(shop: Shop, shopper: Shopper) -> Recommendation:
    """What the shopper bought before and may need again. Raises EcrsError."""
    query = RecommendQuery(
        user_id=shopper.user_id,
        page_size=RAIL_SHOWN,
        placement="buy-again",
        channels=("bought_again",),
        candidate_count=RAIL_CANDIDATES,
    )
    return shop.services.recommend.recommend(query, shop.list_timeout_s)


def shared_rail(shop: Shop, channel: str) -> Recommendation:
    """What this channel names, the same for all; an older copy during an outage. Raises EcrsError."""

    def load() -> dict[str, Any]:
        query = RecommendQuery(
            user_id=WINDOW_SHOPPER,
            page_size=RAIL_SIZE,
            placement=channel,
            channels=(channel,),
            candidate_count=RAIL_CANDIDATES,
        )
        return list_to_json(shop.services.recommend.recommend(query, shop.list_timeout_s))

    return shop.shared.fetch(f"rail:{channel}", SHARED_FRESH_S, load, list_from_json)


def ask_popular(shop: Shop) -> Recommendation:
    """What everybody likes; by the item service's own count when no copy stands in. Raises EcrsError."""
    try:
        return shared_rail(shop, "popular")
    except OUTAGES:
        return shop.stand_ins.popular(NO_FILTER, RAIL_SIZE, shop.call_timeout_s / 2)


def ask_similar(shop: Shop, item_id: str, channels: tuple[str, ...], placement: str) -> Recommendation:
    """Items beside this one by these channels, the same for all. Raises EcrsError."""

    def load() -> dict[str, Any]:
        return list_to_json(
            shop.services.recommend.similar_items(
                item_id, shop.list_timeout_s, page_size=RAIL_SHOWN, placement=placement, channels=channels
            )
        )

    name = f"similar:{'+'.join(channels)}:{item_id}"
    return shop.shared.fetch(name, SHARED_FRESH_S, load, list_from_json, keep_s=SIMILAR_KEPT_S)


def for_you(
    shop: Shop, pending: Pending[Timed], done: Mapping[str, str], instead: Callable[[], Recommendation]
) -> Feed:
    """The shopper's own list; if `recommend` fails, that `instead` and a notice. Never an EcrsError."""
    try:
        timed = pending.get()
    except EcrsError as error:
        log.warning("for_you.failed", error=type(error).__name__, message=str(error))
        return _stand_in(rail(shop, instead))
    return Feed(
        cards=_cards(shop, timed.answer, done),
        notices=tuple(notices(timed.answer.degraded)),
        release=timed.answer.release,
        took_ms=timed.took_ms,
        timings_ms=timed.answer.timings_ms,
    )


def rail(
    shop: Shop, ask: Callable[[], Recommendation], shown: set[str] | None = None, most: int = RAIL_SIZE
) -> Feed:
    """A list beside the main one; empty and `failed` when it cannot be had. Never an EcrsError.

    At most so many items, none of what is `shown` already, which grows by them.
    """
    try:
        answer = ask()
    except EcrsError as error:
        log.warning("rail.failed", error=type(error).__name__, message=str(error))
        return Feed(failed=True)
    taken = [found for found in answer.items if found.item_id not in (shown or ())][:most]
    if shown is not None:
        shown.update(found.item_id for found in taken)
    return Feed(cards=_cards(shop, replace(answer, items=tuple(taken)), {}))


def popular(shop: Shop) -> tuple[Card, ...]:
    """A row of what everybody likes; nothing when it cannot be had."""
    return rail(shop, lambda: ask_popular(shop), most=RAIL_SHOWN).cards


def similar(shop: Shop, ask: Callable[[], Recommendation], item: Item, title: str, kind: str) -> Feed:
    """Items beside this one; `kind` is `similar_to` or `together_with`. Never an EcrsError."""
    try:
        answer = ask()
    except EcrsError as error:
        log.warning("similar.failed", kind=kind, error=type(error).__name__, message=str(error))
        return Feed(failed=True, notices=(_("These are not available at the moment."),))
    reason = Reason(kind, item_id=item.item_id, item_title=title)
    dataset = shop.dataset.get()

    def card(found: RecommendedItem) -> Card:
        # The heading says it for all of them; the product's page says it again.
        return make_card(found, answer.attribution_token, dataset, lambda _found: "", why_code(reason))

    found = (one for one in shop.stand_ins.completed(answer).items if one.item_id != item.item_id)
    return Feed(
        cards=tuple(card(one) for one in found),
        notices=tuple(notices(answer.degraded)),
        release=answer.release,
    )


def _cards(shop: Shop, answer: Recommendation, done: Mapping[str, str]) -> tuple[Card, ...]:
    dataset = shop.dataset.get()
    return tuple(
        make_card(
            found, answer.attribution_token, dataset, lambda one: reason_text(one.reason, dataset, done)
        )
        for found in shop.stand_ins.completed(answer).items
    )


def _stand_in(instead: Feed) -> Feed:
    text = (
        _("Your own suggestions are not available at the moment. Here is what is popular.")
        if instead.cards
        else _("Suggestions are not available at the moment.")
    )
    return Feed(cards=instead.cards, notices=(text,), failed=True)
