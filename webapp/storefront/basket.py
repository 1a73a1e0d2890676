"""The cart as a page shows it: lines with today's titles, prices and availability, and what they come to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import structlog

from engine.dataset import Dataset
from engine.errors import EcrsError
from engine.types import Item
from webapp.shop import Shop
from webapp.storefront.cards import drawing
from webapp.storefront.recording import event_id
from webapp.storefront.wording import category_text, money, title_of
from webapp.stores.carts import Cart, Line

log = structlog.get_logger("webapp.basket")


@dataclass(frozen=True)
class Row:
    """A line in words. `orderable`: the product can be had; `known`: its details could be read."""

    item_id: str
    title: str
    brand: str
    category: str
    drawing: str
    quantity: int
    price: float | None
    price_text: str
    total_text: str
    orderable: bool
    known: bool
    token: str
    image: str = ""


@dataclass(frozen=True)
class Basket:
    """A cart in words. `fingerprint` changes with anything that an order would contain."""

    cart: Cart
    rows: tuple[Row, ...]
    total_text: str
    some_unpriced: bool
    readable: bool

    @property
    def orderable(self) -> tuple[Row, ...]:
        """The lines that an order takes."""
        return tuple(row for row in self.rows if row.orderable)

    @property
    def pieces(self) -> int:
        """How many pieces an order takes."""
        return sum(row.quantity for row in self.orderable)

    @property
    def fingerprint(self) -> str:
        """What the shopper has looked at and agrees to."""
        return event_id(
            self.cart.cart_id, *((row.item_id, row.quantity, row.price) for row in self.orderable)
        )


def read_basket(shop: Shop, cart: Cart) -> Basket:
    """The cart with the catalogue's words; when items cannot be read, numbers only and nothing to order."""
    dataset = shop.dataset.get()
    found: Mapping[str, Item] = {}
    readable = True
    if cart.lines:
        try:
            items, _ = shop.stand_ins.items_now(cart.item_ids, shop.call_timeout_s)
            found = {item.item_id: item for item in items}
        except EcrsError as error:
            log.warning("basket.items_not_read", error=type(error).__name__, message=str(error))
            readable = False
    rows = tuple(_row(line, found.get(line.item_id), dataset) for line in cart.lines)
    orderable = [row for row in rows if row.orderable]
    total = sum((row.price or 0.0) * row.quantity for row in orderable)
    return Basket(
        cart=cart,
        rows=rows,
        total_text=money(total, dataset.currency),
        some_unpriced=any(row.price is None for row in orderable),
        readable=readable,
    )


def _row(line: Line, item: Item | None, dataset: Dataset) -> Row:
    price = item.price if item else None
    return Row(
        item_id=line.item_id,
        title=title_of(item, line.item_id),
        brand=item.brand if item else "",
        category=category_text(item) if item else "",
        drawing=drawing(item) if item else "",
        quantity=line.quantity,
        price=price,
        price_text=money(price, dataset.currency),
        total_text=money(price * line.quantity, dataset.currency) if price is not None else "",
        orderable=item is not None and item.available,
        known=item is not None,
        token=line.token,
        image=item.image_url if item else "",
    )
