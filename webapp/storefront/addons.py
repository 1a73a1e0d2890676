"""What goes with a cart: products often bought with those in it, and others that the shopper may need."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import chain, zip_longest

import structlog

from engine.errors import EcrsError
from engine.types import ItemFilter, Reason, Recommendation, RecommendedItem, RecommendQuery
from webapp.i18n import gettext as _
from webapp.shop import Shop
from webapp.storefront.basket import Basket, Row
from webapp.storefront.cards import Card, make_card
from webapp.storefront.why import why_code
from webapp.storefront.wording import reason_text
from webapp.together import Pending, Together

SEEDS = 3  # the lines added last: what a shopper is thinking of
RAIL_SIZE = 6
log = structlog.get_logger("webapp.addons")


@dataclass(frozen=True)
class Rail:
    """A titled row of cards; `name` is its anchor."""

    name: str
    title: str
    cards: tuple[Card, ...]


def add_ons(shop: Shop, user_id: str, basket: Basket) -> tuple[Rail, ...]:
    """The rails under a cart, without what is in it and without empty ones. Never an EcrsError."""
    if not basket.rows:
        return ()
    inside = frozenset(row.item_id for row in basket.rows)
    calls = Together(shop.list_timeout_s)
    needed = calls.start(lambda: _needed(shop, user_id, inside))
    lists = [
        calls.start(lambda row=row: _neighbours(shop, row, inside))  # type: ignore[misc]
        for row in reversed(basket.rows[-SEEDS:])
    ]
    together = _taking_turns([_answer(one) for one in lists])[:RAIL_SIZE]
    shown = inside | {card.item_id for card in together}
    others = tuple(card for card in _answer(needed) if card.item_id not in shown)[:RAIL_SIZE]
    rails = (
        Rail("together", _("Often bought together"), together),
        Rail("needed", _("You may also need"), others),
    )
    return tuple(rail for rail in rails if rail.cards)


def _answer(pending: Pending[list[Card]]) -> list[Card]:
    try:
        return pending.get()
    except EcrsError as error:
        log.warning("add_ons.failed", error=type(error).__name__, message=str(error))
        return []


def _taking_turns(lists: list[list[Card]]) -> tuple[Card, ...]:
    """The best of each, the second of each, …; each product once."""
    once: dict[str, Card] = {}
    for card in chain.from_iterable(zip_longest(*lists)):
        if card is not None:
            once.setdefault(card.item_id, card)
    return tuple(once.values())


def _neighbours(shop: Shop, row: Row, inside: frozenset[str]) -> list[Card]:
    """What is often bought with a line of the cart. Raises EcrsError."""
    answer = shop.services.recommend.similar_items(
        row.item_id,
        shop.list_timeout_s,
        page_size=RAIL_SIZE,
        item_filter=ItemFilter(exclude_item_ids=inside),
        placement="cart",
        channels=("item_to_item",),
    )
    reason = _("Often bought with %(title)s", title=row.title)
    why = why_code(Reason("together_with", item_id=row.item_id))
    return _cards(shop, answer, inside, lambda _found: reason, why)


def _needed(shop: Shop, user_id: str, inside: frozenset[str]) -> list[Card]:
    """What the shopper would like anyway, with some to spare for what the other rail has."""
    query = RecommendQuery(
        user_id=user_id,
        page_size=2 * RAIL_SIZE,
        filter=ItemFilter(exclude_item_ids=inside),
        placement="cart",
    )
    dataset, done = shop.dataset.get(), dict.fromkeys(inside, "cart")
    answer = shop.services.recommend.recommend(query, shop.list_timeout_s)
    return _cards(shop, answer, inside, lambda found: reason_text(found.reason, dataset, done))


def _cards(
    shop: Shop,
    answer: Recommendation,
    inside: frozenset[str],
    reason: Callable[[RecommendedItem], str],
    why: str | None = None,
) -> list[Card]:
    dataset, token = shop.dataset.get(), answer.attribution_token
    return [
        make_card(found, token, dataset, reason, why) for found in answer.items if found.item_id not in inside
    ]
