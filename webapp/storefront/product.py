"""The product page, and what shoppers do on it and on cards.

Opening a page is an event: a `click` when a list's link led there (its attribution token is in the link),
else a `view`. Only a browser that has been here before counts: robots leave nothing behind.
"""

from __future__ import annotations

import time
from typing import Any, TypeVar

import structlog
from flask import abort, flash, make_response, redirect, render_template, request
from werkzeug.wrappers import Response

from engine.errors import EcrsError, NotFound, Unavailable
from engine.item_content import is_web_address
from engine.types import Item, Reason, SearchQuery, UserEvent
from webapp.cache import OUTAGES
from webapp.codec import search_from_json, search_to_json
from webapp.errors import wants_json
from webapp.i18n import gettext as _
from webapp.shop import Shop, current_shop
from webapp.shopper import Shopper, current_shopper, local_path, read_id
from webapp.stale import stand_in_page
from webapp.storefront.blueprint import blueprint
from webapp.storefront.cards import Card, drawing, item_card
from webapp.storefront.cart import put_into_cart
from webapp.storefront.feeds import (
    RAIL_SHOWN,
    SHARED_FRESH_S,
    SIMILAR_KEPT_S,
    ask_similar,
    popular,
    similar,
)
from webapp.storefront.recording import counts_as_view, event_id, record, record_shown, token_of
from webapp.storefront.seen import Past, read_past
from webapp.storefront.why import reason_of
from webapp.storefront.wording import money, reason_text, title_of, value_text
from webapp.together import Pending, Together

VARIANTS_SHOWN = 50
VIEW_ONCE_S = 600  # reloading a page is not looking at it again
ALTERNATIVES = ("two_tower", "content")
T = TypeVar("T")
KINDS = ("cart", "dislike")
"""Event types that forms may send."""
log = structlog.get_logger("webapp.product")


@blueprint.get("/items/<path:item_id>")
def item_page(item_id: str) -> str | Response:
    """One product, why it was shown, and what stands beside it; an unknown one is a 404 with others."""
    shop, shopper = current_shop(), current_shopper()
    item_id = read_id(item_id)
    if not item_id:
        return _unknown(shop)
    dataset = shop.dataset.get()
    reason = reason_of(request.args.get("why", ""), dataset)
    token = token_of(request.args.get("token", ""))
    together = Together(shop.list_timeout_s + shop.call_timeout_s / 2)
    asked = together.start(lambda: shop.stand_ins.item(item_id, shop.call_timeout_s))
    alike = together.start(lambda: ask_similar(shop, item_id, ALTERNATIVES, "similar"))
    beside = together.start(lambda: ask_similar(shop, item_id, ("item_to_item",), "together"))
    siblings = together.start(lambda: _variants(shop, item_id))
    past = together.start(lambda: read_past(shop, shopper))
    cause = together.start(lambda: _cause(shop, reason))
    try:
        item = asked.get()
    except NotFound:
        return _unknown(shop)
    except OUTAGES as error:  # late, or neither the service nor Redis answers
        log.warning("product.not_read", error=type(error).__name__, message=str(error))
        copy = shop.stand_ins.copy(item_id)
        if copy is None:
            return _away(shop, item_id)
        item = copy
    _record_visit(shop, shopper, item, token)
    title, known = title_of(item, item_id), _get(past, Past())
    why = _get(cause, None)
    beside_it = similar(shop, beside.get, item, title, "together_with")
    like_it = similar(shop, alike.get, item, title, "similar_to")
    page = render_template(
        "item.html",
        item=item,
        title=title,
        price=money(item.price, dataset.currency),
        drawing=drawing(item),
        url=item.url if is_web_address(item.url) else "",
        variants=_shown_variants(shop, item, _get(siblings, [])),
        trail=shop.categories.trail_of(item.category_path),
        details=[
            (name.replace("_", " "), value_text(value)) for name, value in sorted(item.attributes.items())
        ],
        why=reason_text(why, dataset, known.done) if why else "",
        similar=like_it,
        together=beside_it,
        seen=known.cards(shop, without=item_id)[:RAIL_SHOWN],
        token=token,
        back=request.full_path.rstrip("?"),
    )
    record_shown(shop, shopper, like_it.cards, beside_it.cards)
    return page


@blueprint.post("/events")
def record_event() -> Response:
    """Records what a card's or page's button says, then shows the product or the page the button was on."""
    event_type, item_id = request.form.get("type", ""), read_id(request.form.get("item_id", ""))
    if event_type not in KINDS or not item_id:
        abort(400)
    shop, token = current_shop(), token_of(request.form.get("token", ""))
    back = redirect(local_path(request.form.get("back", "")), 303)
    if event_type == "cart":
        put_into_cart(item_id, 1, token)
        return back
    if not record(shop, [_event(current_shopper(), item_id, event_type, token)]):
        flash(_("We could not write that down just now; your list stays as it is."), "problem")
    elif event_type == "dislike":
        flash(_("Noted: that product will not be suggested to you again."))
    return back


def _variants(shop: Shop, parent: str) -> list[Item]:
    """Items that are variants of this one, the same for all who ask. Raises EcrsError."""

    def load() -> dict[str, Any]:
        query = SearchQuery(variant_of=parent, page_size=VARIANTS_SHOWN, include_unavailable=True)
        return search_to_json(shop.stand_ins.search(query, shop.call_timeout_s))

    name = f"variants:{parent}"
    found = shop.shared.fetch(name, SHARED_FRESH_S, load, search_from_json, keep_s=SIMILAR_KEPT_S)
    return list(found.items)


def _shown_variants(shop: Shop, item: Item, own: list[Item]) -> tuple[Card, ...]:
    """The item's variants; of a variant, the item it is one of and the others. Never an EcrsError."""
    family = own
    if item.variant_of:
        try:
            parent, _missing = shop.stand_ins.items([item.variant_of], shop.call_timeout_s / 2)
            family = [*parent, *_variants(shop, item.variant_of)]
        except EcrsError as error:
            log.warning("product.variants_not_read", error=type(error).__name__, message=str(error))
    dataset = shop.dataset.get()
    return tuple(item_card(one, dataset) for one in family if one.item_id != item.item_id)


def _record_visit(shop: Shop, shopper: Shopper, item: Item, token: str) -> None:
    """That this page was opened, by somebody whose browser holds a session of ours already."""
    if counts_as_view():
        record(shop, [_event(shopper, item.item_id, "click" if token else "view", token)])


def _event(shopper: Shopper, item_id: str, event_type: str, token: str) -> UserEvent:
    """The same button of the same list is one event however often pressed; so is a page within a while."""
    once = token or int(time.time() // VIEW_ONCE_S)
    return UserEvent(
        user_id=shopper.user_id,
        item_id=item_id,
        type=event_type,
        attribution_token=token,
        event_id=event_id(once, event_type, item_id),
    )


def _cause(shop: Shop, reason: Reason | None) -> Reason | None:
    """The reason with the title of the item it names; None when there is no such item."""
    if reason is None or not reason.item_id:
        return reason
    cause = shop.stand_ins.item(reason.item_id, shop.call_timeout_s)
    return Reason(reason.kind, reason.item_id, title_of(cause, reason.item_id))


def _get(pending: Pending[T], default: T) -> T:
    """The answer, or the default: the page is good without it."""
    try:
        return pending.get()
    except EcrsError as error:
        log.warning("product.part_missing", error=type(error).__name__, message=str(error))
        return default


def _away(shop: Shop, item_id: str) -> Response:
    """A page of others while the product itself cannot be read; 503 when there is nothing to show at all."""
    if wants_json():
        raise Unavailable("the item cannot be read")
    cards = popular(shop)
    page = render_template("item_away.html", cards=cards, item_id=item_id)
    record_shown(shop, current_shopper(), cards)
    return stand_in_page(page, shown=bool(cards))


def _unknown(shop: Shop) -> Response:
    """A friendly 404: no such product, but these."""
    if wants_json():
        abort(404)
    cards = popular(shop)
    page = render_template("unknown.html", cards=cards)
    record_shown(shop, current_shopper(), cards)
    return make_response(page, 404)
