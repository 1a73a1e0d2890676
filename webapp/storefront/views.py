"""The home page, product pages, and what shoppers do there."""

from __future__ import annotations

import hashlib

import structlog
from flask import abort, flash, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from services.common.errors import EcrsError, NotFound
from services.common.ports import UserEvent, UserProfile
from webapp.shop import Shop, current_shop
from webapp.shopper import Shopper, current_shopper, is_id, local_path
from webapp.storefront.blueprint import blueprint
from webapp.storefront.feeds import for_you, popular, similar
from webapp.storefront.wording import money, profile_lines, title_of, value_text

RAIL_SHOWN = 6
MAX_TOKEN_BYTES = 256
THANKS = {
    "click": "",
    "cart": "Noted: you would buy that. Your list has been made anew.",
    "dislike": "Noted: that product will not be suggested to you again.",
}
"""Event types that pages send, and what is said afterwards."""
log = structlog.get_logger("webapp.views")


@blueprint.get("/")
def home() -> tuple[str, int]:
    """Who you are, your list, and what is popular."""
    shop, shopper = current_shop(), current_shopper()
    feed = for_you(shop, shopper)
    shown = {card.item_id for card in feed.cards}
    rail = [card for card in popular(shop) if card.item_id not in shown] if not feed.failed else []
    page = render_template(
        "home.html",
        feed=feed,
        rail=rail[:RAIL_SHOWN],
        profile=_profile(shop, shopper),
        back=url_for("shop.home"),
    )
    return page, 200 if feed.cards else 503


@blueprint.get("/items/<path:item_id>")
def item_page(item_id: str) -> str:
    """One product and those like it; `token` is the list's that led here."""
    if not is_id(item_id):
        abort(404)
    shop = current_shop()
    item = shop.services.item.get_item(item_id, shop.call_timeout_s)
    title = title_of(item, item_id)
    dataset = shop.dataset.get()
    return render_template(
        "item.html",
        item=item,
        title=title,
        price=money(item.price, dataset.currency),
        drawing=" ".join((*item.category_path, item.title)),
        details=[
            (name.replace("_", " "), value_text(value)) for name, value in sorted(item.attributes.items())
        ],
        feed=similar(shop, item, title),
        token=_token(request.args.get("token", "")),
        back=request.path,
    )


@blueprint.post("/events")
def record_event() -> Response:
    """Records what a card's or page's button says, then shows the product or the page the button was on."""
    event_type, item_id = request.form.get("type", ""), request.form.get("item_id", "")
    if event_type not in THANKS or not is_id(item_id):
        abort(400)
    shop, token = current_shop(), _token(request.form.get("token", ""))
    event = UserEvent(
        user_id=current_shopper().user_id,
        item_id=item_id,
        type=event_type,
        attribution_token=token,
        event_id=_event_id(event_type, item_id, token),
    )
    try:
        shop.services.user.record_user_events([event], shop.call_timeout_s)
    except EcrsError as error:
        log.warning("event.not_recorded", type=event_type, error=type(error).__name__, message=str(error))
        flash("We could not write that down just now; your list stays as it is.", "problem")
    else:
        if THANKS[event_type]:
            flash(THANKS[event_type])
    if event_type == "click":
        return redirect(url_for("shop.item_page", item_id=item_id, token=token or None), 303)
    return redirect(local_path(request.form.get("back", "")), 303)


def _profile(shop: Shop, shopper: Shopper) -> list[tuple[str, str]]:
    """What is known of a signed-in shopper, in words; nothing when it cannot be read."""
    if not shopper.signed_in:
        return []
    try:
        stored = shop.services.user.get_user(shopper.user_id, shop.call_timeout_s)
    except NotFound:
        stored = UserProfile(shopper.user_id)
    except EcrsError as error:
        log.warning("profile.not_read", error=type(error).__name__, message=str(error))
        return []
    return profile_lines(stored.attributes, shop.dataset.get())


def _token(text: str) -> str:
    """The attribution token of a request; empty when it cannot be one of ours."""
    return text if is_id(text) and len(text.encode()) <= MAX_TOKEN_BYTES else ""


def _event_id(event_type: str, item_id: str, token: str) -> str:
    """The same button of the same list is one event however often pressed; "" (no list): each counts."""
    if not token:
        return ""
    return hashlib.blake2b("\0".join((token, event_type, item_id)).encode(), digest_size=16).hexdigest()
