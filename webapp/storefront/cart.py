"""The cart: add, change, take out, and what goes with what is in it."""

from __future__ import annotations

import structlog
from flask import abort, flash, g, redirect, render_template, request, url_for
from werkzeug.wrappers import Response

from engine.errors import EcrsError
from engine.types import UserEvent
from webapp.i18n import gettext as _
from webapp.i18n import ngettext
from webapp.shop import Shop, current_shop
from webapp.shopper import current_shopper, local_path, read_id
from webapp.storefront.addons import add_ons
from webapp.storefront.basket import read_basket
from webapp.storefront.blueprint import blueprint
from webapp.storefront.recording import event_id, record, record_shown, token_of
from webapp.stores.carts import MAX_LINES, MAX_QUANTITY, Cart

log = structlog.get_logger("webapp.cart")


@blueprint.app_context_processor
def cart_in_the_header() -> dict[str, object]:
    """`cart_count` for every page; 0 while the carts cannot be read."""
    return {"cart_count": _count()}


@blueprint.get("/cart")
def cart_page() -> str:
    """What is in the cart, what it comes to, and what goes with it."""
    shop, shopper = current_shop(), current_shopper()
    cart = shop.stores.carts.get(shopper.user_id)
    basket = read_basket(shop, cart)
    rails = add_ons(shop, shopper.user_id, basket)
    page = render_template(
        "cart.html", basket=basket, rails=rails, max_quantity=MAX_QUANTITY, back=url_for("shop.cart_page")
    )
    record_shown(shop, shopper, *(rail.cards for rail in rails))
    return page


@blueprint.post("/cart/add")
def add_to_cart() -> Response:
    """One or more pieces of a product into the cart, then back to where the button was."""
    item_id = read_id(request.form.get("item_id", ""))
    if not item_id:
        abort(400)
    put_into_cart(item_id, _quantity(1), token_of(request.form.get("token", "")))
    return redirect(local_path(request.form.get("back", ""), url_for("shop.cart_page")), 303)


@blueprint.post("/cart/change")
def change_cart() -> Response:
    """Another quantity of a line; `remove` takes it out. More of it is an event like putting it in."""
    item_id = read_id(request.form.get("item_id", ""))
    if not item_id:
        abort(400)
    quantity = 0 if "remove" in request.form else _quantity(-1)
    if quantity < 0:
        abort(400)
    shop, owner = current_shop(), current_shopper().user_id
    before = shop.stores.carts.get(owner).quantity(item_id)
    if not before:
        flash(_("That product is not in your cart any more."), "problem")
        return redirect(url_for("shop.cart_page"), 303)
    cart = shop.stores.carts.change(owner, lambda cart: cart.with_quantity(item_id, quantity))
    more = cart.quantity(item_id) - before
    if more > 0:
        token = next(line.token for line in cart.lines if line.item_id == item_id)
        record(shop, [_event(shop, owner, item_id, more, token)])
    flash(_("Your cart has been changed.") if quantity else _("Taken out of your cart."))
    return redirect(url_for("shop.cart_page"), 303)


def put_into_cart(item_id: str, quantity: int, token: str) -> bool:
    """Into the cart of this request's shopper, with its event, and say so. Whether there was room.

    Raises NotFound for a product that does not exist, Unavailable while carts cannot be written.
    """
    shop, owner = current_shop(), current_shopper().user_id
    item = shop.stand_ins.item_now(item_id, shop.call_timeout_s)
    if not item.available:
        flash(_("%(title)s is not available at the moment.", title=item.title or item_id), "problem")
        return False
    cart = shop.stores.carts.change(owner, lambda cart: cart.added(item_id, quantity, token))
    if not cart.quantity(item_id):
        flash(_("Your cart is full: it holds %(most)s different products.", most=MAX_LINES), "problem")
        return False
    value = (item.price or 1.0) * quantity
    name = event_id(token, "cart", item_id) if token else ""
    record(shop, [UserEvent(owner, item_id, "cart", value=value, attribution_token=token, event_id=name)])
    flash(
        ngettext(
            "%(title)s is in your cart, which holds %(num)d piece now.",
            "%(title)s is in your cart, which holds %(num)d pieces now.",
            cart.count,
            title=item.title or item_id,
        )
    )
    return True


def _event(shop: Shop, owner: str, item_id: str, more: int, token: str) -> UserEvent:
    """More of a product than before; its value is what the additional pieces cost."""
    try:
        price = shop.services.item.get_item(item_id, shop.call_timeout_s).price
    except EcrsError as error:
        log.warning("cart.price_not_read", error=type(error).__name__, message=str(error))
        price = None
    return UserEvent(owner, item_id, "cart", value=(price or 1.0) * more, attribution_token=token)


def _quantity(default: int) -> int:
    """The quantity of the form; `default` when it is none."""
    text = request.form.get("quantity", "").strip()
    return min(int(text), MAX_QUANTITY) if text.isascii() and text.isdigit() and len(text) < 6 else default


def _count() -> int:
    shop, shopper = current_shop(), current_shopper()
    if shopper.just_arrived:
        return 0
    if "cart_count" not in g:
        try:
            with shop.redis_health.asking():
                cart = shop.stores.carts.get(shopper.user_id)
        except EcrsError as error:
            log.warning("cart.not_read", error=type(error).__name__, message=str(error))
            cart = Cart()
        g.cart_count = cart.count
    return int(g.cart_count)
