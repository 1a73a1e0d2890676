"""The home page: everything on it is asked for side by side, and each part may be missing on its own."""

from __future__ import annotations

import structlog
from flask import render_template, url_for

from engine.errors import EcrsError, NotFound
from engine.types import UserProfile
from webapp.shop import Shop, current_shop
from webapp.shopper import Shopper, current_shopper
from webapp.storefront.blueprint import blueprint
from webapp.storefront.feeds import (
    RAIL_SHOWN,
    Feed,
    ask_buy_again,
    ask_for_you,
    ask_popular,
    for_you,
    rail,
    shared_rail,
)
from webapp.storefront.recording import record_shown
from webapp.storefront.seen import SEEN_SHOWN, Past, read_past
from webapp.storefront.wording import profile_lines
from webapp.together import Pending, Together

ENTRIES = 12  # categories to begin from
log = structlog.get_logger("webapp.home")


@blueprint.get("/")
def home() -> tuple[str, int]:
    """Who you are, your list, the rails, what you looked at, and where to begin."""
    shop, shopper = current_shop(), current_shopper()
    # The services have deadlines of their own, and a reserve for the way; this one is for all of them.
    together = Together(shop.list_timeout_s + shop.call_timeout_s / 2)
    asked = together.start(lambda: ask_for_you(shop, shopper))
    past = together.start(lambda: read_past(shop, shopper))
    trending = together.start(lambda: shared_rail(shop, "trending"))
    new = together.start(lambda: shared_rail(shop, "new"))
    # What stands in for the shopper's own list: asked for always, so that there is a copy when it is needed.
    popular = together.start(lambda: ask_popular(shop))
    again = together.start(lambda: ask_buy_again(shop, shopper)) if shopper.signed_in else None
    stored = together.start(lambda: _stored(shop, shopper)) if shopper.signed_in else None

    known = _get(past)
    feed = for_you(shop, asked, known.done, popular.get)
    shown = {card.item_id for card in feed.cards}
    # What one buys again is shown again: it is what this rail is for.
    buy_again = rail(shop, again.get) if again else Feed()
    rails = {
        name: rail(shop, ask.get, shown, RAIL_SHOWN) for name, ask in (("trending", trending), ("new", new))
    }
    page = render_template(
        "home.html",
        feed=feed,
        buy_again=buy_again,
        **rails,
        seen=known.cards(shop)[:SEEN_SHOWN],
        entries=shop.categories.root().children[:ENTRIES],
        profile=_profile(shop, stored),
        back=url_for("shop.home"),
    )
    record_shown(shop, shopper, feed.cards, buy_again.cards, *(one.cards for one in rails.values()))
    return page, 200 if feed.cards else 503


def _get(past: Pending[Past]) -> Past:
    try:
        return past.get()
    except EcrsError as error:  # late: the calls' own errors are dealt with in `read_past`
        log.warning("past.not_read", error=type(error).__name__, message=str(error))
        return Past()


def _stored(shop: Shop, shopper: Shopper) -> UserProfile:
    try:
        return shop.services.user.get_user(shopper.user_id, shop.call_timeout_s)
    except NotFound:
        return UserProfile(shopper.user_id)


def _profile(shop: Shop, stored: Pending[UserProfile] | None) -> list[tuple[str, str]]:
    """What is known of a signed-in shopper, in words; nothing when it cannot be read."""
    if stored is None:
        return []
    try:
        return profile_lines(stored.get().attributes, shop.dataset.get())
    except EcrsError as error:
        log.warning("profile.not_read", error=type(error).__name__, message=str(error))
        return []
