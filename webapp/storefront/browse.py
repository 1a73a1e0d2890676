"""Categories and search: lists of products with facets, orders and pages."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import structlog
from flask import abort, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.errors import EcrsError, InvalidArgument
from engine.types import ItemFilter, RecommendQuery, SearchResult
from webapp.cache import OUTAGES
from webapp.categories import Place
from webapp.codec import search_from_json, search_to_json
from webapp.errors import BadPage
from webapp.shop import Shop, current_shop
from webapp.shopper import Shopper, current_shopper
from webapp.stale import stand_in_page
from webapp.storefront.blueprint import blueprint
from webapp.storefront.cards import Card, item_card, make_card
from webapp.storefront.feeds import popular
from webapp.storefront.listing import FOR_YOU, PAGE_SIZE, SORTS, Listing, number, parse, wrong_page
from webapp.storefront.recording import record_shown
from webapp.storefront.wording import reason_text

SEARCH_FRESH_S = 30.0
SEARCH_KEPT_S = 300  # there may be very many
FOR_YOU_MOST = 48  # what is sorted by taste; more would be the tail of what was ranked
log = structlog.get_logger("webapp.browse")


@dataclass(frozen=True)
class Shown:
    """The products of a page: `first` to `last` of `total` (counted from 1)."""

    cards: tuple[Card, ...]
    total: int
    first: int
    last: int
    failed: bool = False


@blueprint.get("/categories")
def categories() -> str | Response:
    """All categories, two levels of them; where there are none, all products."""
    shop = current_shop()
    if shop.categories.none_exist():
        return _page(shop, parse(request.args), url_for("shop.categories"), [])
    return render_template("categories.html", root=shop.categories.root())


@blueprint.get("/c/<path:slugs>")
def category(slugs: str) -> str | Response:
    """The products of a category."""
    shop = current_shop()
    trail = shop.categories.trail(slugs.split("/"))
    if trail is None and not shop.categories.root().children and not shop.categories.none_exist():
        return _away(shop, parse(request.args), ())
    if trail is None:
        abort(404)
    listing = parse(request.args, trail[-1].path)
    return _page(shop, listing, trail[-1].url, trail)


@blueprint.get("/search")
def search() -> str | Response:
    """The products that fit a text."""
    listing = parse(request.args)
    if not listing.text:
        return redirect(url_for("shop.categories"))
    return _page(current_shop(), listing, url_for("shop.search"), [])


def _page(shop: Shop, listing: Listing, base: str, trail: Sequence[Place]) -> str | Response:
    try:
        found = _found(shop, listing)
    except InvalidArgument as error:
        # What was typed has been looked at already: what the service does not take is the page's token.
        log.info("listing.refused", error=str(error))
        raise BadPage(wrong_page()) from error
    except OUTAGES as error:
        log.warning("listing.not_read", error=type(error).__name__, message=str(error))
        return _away(shop, listing, trail)
    shown = _shown(shop, listing, found)
    instead = popular(shop) if not shown.cards else ()
    page = render_template(
        "listing.html",
        listing=listing,
        base=base,
        trail=trail,
        found=found,
        shown=shown,
        below={child.name: child.url for child in (trail[-1] if trail else shop.categories.root()).children},
        sorts=[(name, SORTS[name][1]) for name in listing.sorts],
        number=number,
        instead=instead,
        search_text=listing.text,
        back=request.full_path.rstrip("?"),
    )
    record_shown(shop, current_shopper(), shown.cards, instead)
    return page


def _away(shop: Shop, listing: Listing, trail: Sequence[Place]) -> Response:
    """What is popular, in place of a list that cannot be read; 503 when there is nothing to show at all."""
    cards = popular(shop)
    name = listing.text or (trail[-1].name if trail else "")
    page = render_template("listing_away.html", name=name, cards=cards, search_text=listing.text)
    record_shown(shop, current_shopper(), cards)
    return stand_in_page(page, shown=bool(cards))


def _found(shop: Shop, listing: Listing) -> SearchResult:
    """The page and facets: the same for everybody, so from the shared cache. Raises EcrsError."""
    query = listing.query()

    def load() -> dict[str, Any]:
        return search_to_json(shop.stand_ins.search(query, shop.call_timeout_s))

    digest = hashlib.blake2b(json.dumps(asdict(query)).encode(), digest_size=16).hexdigest()
    name = "search" if listing.text else "category"
    key = f"{name}:{digest}"
    return shop.shared.fetch(key, SEARCH_FRESH_S, load, search_from_json, keep_s=SEARCH_KEPT_S)


def _shown(shop: Shop, listing: Listing, found: SearchResult) -> Shown:
    dataset = shop.dataset.get()
    if listing.sorted_by == FOR_YOU:
        cards = _by_taste(shop, listing, current_shopper())
        if cards is not None:
            return Shown(cards, len(cards), 1, len(cards))
    before = (listing.page - 1) * PAGE_SIZE
    cards = tuple(item_card(item, dataset) for item in found.items)
    return Shown(
        cards,
        found.total_count,
        before + 1,
        before + len(cards),
        failed=listing.sorted_by == FOR_YOU,
    )


def _by_taste(shop: Shop, listing: Listing, shopper: Shopper) -> tuple[Card, ...] | None:
    """The shopper's own list out of a category; None when it cannot be had."""
    query = RecommendQuery(
        user_id=shopper.user_id,
        page_size=FOR_YOU_MOST,
        placement="category",
        filter=ItemFilter(
            categories=frozenset(listing.category[-1:]),
            brands=frozenset(listing.brands),
            price_min=listing.price_min,
            price_max=listing.price_max,
        ),
    )
    try:
        answer = shop.services.recommend.recommend(query, shop.list_timeout_s)
    except EcrsError as error:
        log.warning("by_taste.failed", error=type(error).__name__, message=str(error))
        return None
    dataset = shop.dataset.get()
    # A name may stand at several places of the tree: what lies elsewhere is left out.
    depth = len(listing.category)
    here = [one for one in answer.items if one.item and one.item.category_path[:depth] == listing.category]
    return tuple(
        make_card(
            one, answer.attribution_token, dataset, lambda found: reason_text(found.reason, dataset, {})
        )
        for one in here
    )
