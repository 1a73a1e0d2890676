"""From a cart to an order, and the orders of a shopper. Nothing is paid: an order is its purchase events."""

from __future__ import annotations

import time
from datetime import datetime, timezone

from flask import abort, flash, redirect, render_template, request, url_for
from flask_babel import format_datetime
from werkzeug.wrappers import Response

from engine.types import UserEvent
from webapp.i18n import gettext as _
from webapp.shop import Shop, current_shop
from webapp.shopper import current_shopper
from webapp.storefront.basket import Basket, read_basket
from webapp.storefront.blueprint import blueprint
from webapp.storefront.recording import event_id, record
from webapp.storefront.wording import money
from webapp.stores.carts import ID_LENGTH
from webapp.stores.orders import CartChanged, Order, OrderLine


@blueprint.get("/checkout")
def checkout_page() -> Response | str:
    """What would be ordered, to look at once more."""
    basket = _basket()
    return _review(basket) if basket.orderable else _back_to_cart(basket)


@blueprint.post("/checkout")
def place_order() -> Response | tuple[str, int]:
    """Order what was reviewed. Sent twice, it is one order; a cart that changed meanwhile is shown again."""
    shop, owner = current_shop(), current_shopper().user_id
    cart_id = request.form.get("cart_id", "")
    placed = shop.stores.orders.get(cart_id) if _is_order_id(cart_id) else None
    if placed is not None and placed.owner == owner:
        return redirect(url_for("shop.order_page", order_id=placed.order_id), 303)
    basket = _basket()
    if not basket.orderable:
        return _back_to_cart(basket)
    if (cart_id, request.form.get("fingerprint")) != (basket.cart.cart_id, basket.fingerprint):
        return _review(basket, changed=True), 409
    try:
        order = shop.stores.orders.place(_order(shop, owner, basket), basket.cart)
    except CartChanged:
        return _review(_basket(), changed=True), 409
    _record(shop, order)
    return redirect(url_for("shop.order_page", order_id=order.order_id), 303)


@blueprint.get("/orders/<order_id>")
def order_page(order_id: str) -> str:
    """One of the shopper's own orders; another's does not exist for them."""
    shop, owner = current_shop(), current_shopper().user_id
    order = shop.stores.orders.get(order_id) if _is_order_id(order_id) else None
    if order is None or order.owner != owner:
        abort(404)
    return render_template(
        "order.html",
        order=order,
        recorded=_record(shop, order),
        number=number_of(order),
        total=money(order.total, order.currency),
        prices={line.item_id: money(line.price, order.currency) for line in order.lines},
        totals={line.item_id: money(line.total, order.currency) for line in order.lines if line.price},
    )


@blueprint.get("/orders")
def orders_page() -> str:
    """All orders of the shopper, newest first."""
    orders = current_shop().stores.orders.of(current_shopper().user_id)
    rows = [(order, number_of(order), money(order.total, order.currency)) for order in orders]
    return render_template("orders.html", rows=rows)


@blueprint.app_template_filter("moment")
def moment(at_ms: int) -> str:
    """A time in words of the request's language."""
    return str(format_datetime(datetime.fromtimestamp(at_ms / 1000, timezone.utc), "medium"))


def number_of(order: Order) -> str:
    """An order's number as people read it: 3F9A-02C4-…"""
    text = order.order_id.upper()
    return "-".join(text[at : at + 4] for at in range(0, len(text), 4))


def _basket() -> Basket:
    shop = current_shop()
    return read_basket(shop, shop.stores.carts.get(current_shopper().user_id))


def _review(basket: Basket, changed: bool = False) -> str:
    return render_template("checkout.html", basket=basket, changed=changed)


def _back_to_cart(basket: Basket) -> Response:
    if not basket.rows:
        flash(_("Your cart is empty: there is nothing to order yet."), "problem")
    elif not basket.readable:
        flash(_("Products cannot be read at the moment. Please try again in a minute."), "problem")
    else:
        flash(_("Nothing in your cart is available at the moment."), "problem")
    return redirect(url_for("shop.cart_page"), 303)


def _order(shop: Shop, owner: str, basket: Basket) -> Order:
    lines = tuple(
        OrderLine(row.item_id, row.title, row.quantity, row.price, row.brand, row.drawing, row.token)
        for row in basket.orderable
    )
    now = int(time.time() * 1000)
    return Order(basket.cart.cart_id, owner, now, shop.dataset.get().currency, lines)


def _record(shop: Shop, order: Order) -> bool:
    """Tell the user service, once: an order whose events did not get through tries again when it is shown."""
    if order.recorded:
        return True
    events = [
        UserEvent(
            user_id=order.owner,
            item_id=line.item_id,
            type="purchase",
            at_ms=order.placed_at_ms,
            value=line.total or float(line.quantity),
            attribution_token=line.token,
            event_id=event_id("order", order.order_id, line.item_id),
        )
        for line in order.lines
    ]
    recorded = record(shop, events)
    if recorded:
        shop.stores.orders.mark_recorded(order.order_id)
    return recorded


def _is_order_id(text: str) -> bool:
    return len(text) == ID_LENGTH and text.isascii() and text.isalnum()
