"""Carts: what a shopper means to buy, and from which list each product came."""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import structlog

from services.common.redis import Redis, redis_errors

MAX_LINES = 100  # as many as one look-up of items takes
MAX_QUANTITY = 99
ID_LENGTH = 16  # hexadecimal digits: nobody guesses one
KEEP_S = 60 * 86_400  # an untouched cart is forgotten after two months

log = structlog.get_logger("webapp.carts")


@dataclass(frozen=True, slots=True)
class Line:
    """A product in a cart; `token`: the attribution token of the list that it came from."""

    item_id: str
    quantity: int = 1
    token: str = ""


@dataclass(frozen=True, slots=True)
class Cart:
    """Lines in the order in which they came. `cart_id` becomes the id of the order: one cart, one order."""

    cart_id: str = ""
    lines: tuple[Line, ...] = ()

    @property
    def count(self) -> int:
        """Pieces in the cart."""
        return sum(line.quantity for line in self.lines)

    @property
    def item_ids(self) -> tuple[str, ...]:
        """The products, each once."""
        return tuple(line.item_id for line in self.lines)

    def quantity(self, item_id: str) -> int:
        """Pieces of a product; 0 when it is not in the cart."""
        return next((line.quantity for line in self.lines if line.item_id == item_id), 0)

    def added(self, item_id: str, quantity: int = 1, token: str = "") -> Cart:
        """With more of a product, up to the limits; the newest token that says something stays."""
        known = self.quantity(item_id)
        if known:
            return self._with(
                tuple(
                    replace(line, quantity=_bounded(known + quantity), token=token or line.token)
                    if line.item_id == item_id
                    else line
                    for line in self.lines
                )
            )
        if len(self.lines) >= MAX_LINES:
            return self
        return self._with((*self.lines, Line(item_id, _bounded(quantity), token)))

    def with_quantity(self, item_id: str, quantity: int) -> Cart:
        """With this many of a product that is in the cart; 0 takes it out."""
        if quantity <= 0:
            return self._with(tuple(line for line in self.lines if line.item_id != item_id))
        return self._with(
            tuple(
                replace(line, quantity=_bounded(quantity)) if line.item_id == item_id else line
                for line in self.lines
            )
        )

    def merged(self, other: Cart) -> Cart:
        """With another cart's lines; of what is in both, the greater quantity: it is the same wish twice."""
        cart = self
        for line in other.lines:
            missing = line.quantity - cart.quantity(line.item_id)
            if missing > 0:
                cart = cart.added(line.item_id, missing, line.token)
        return cart

    def _with(self, lines: tuple[Line, ...]) -> Cart:
        if not lines:
            return Cart()
        return Cart(self.cart_id or secrets.token_hex(ID_LENGTH // 2), lines)


EMPTY = Cart()


class CartStore(Protocol):
    """Where carts are kept, by the shopper's id. All raise Unavailable when the store does not answer."""

    def get(self, owner: str) -> Cart: ...

    def change(self, owner: str, change: Callable[[Cart], Cart]) -> Cart: ...

    def delete(self, owner: str) -> None: ...


def cart_key(owner: str) -> str:
    """The key of a shopper's cart: JSON object."""
    return f"ecrs:shop:cart:{owner}"


def encode_cart(cart: Cart) -> str:
    """The cart as JSON."""
    return json.dumps(asdict(cart), ensure_ascii=False, separators=(",", ":"))


def decode_cart(raw: bytes | str | None) -> Cart:
    """What `encode_cart` made; an empty cart for nothing and for what is not ours."""
    if raw is None:
        return EMPTY
    try:
        values: dict[str, Any] = json.loads(raw)
        return Cart(values["cart_id"], tuple(Line(**line) for line in values["lines"]))
    except (ValueError, KeyError, TypeError) as error:
        log.warning("cart.unreadable", error=str(error))
        return EMPTY


class RedisCarts:
    """Implements `CartStore`."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def get(self, owner: str) -> Cart:
        """The shopper's cart, empty if there is none."""
        with redis_errors():
            raw = self._redis.get(cart_key(owner))
        return decode_cart(raw if isinstance(raw, bytes) else None)

    def change(self, owner: str, change: Callable[[Cart], Cart]) -> Cart:
        """Replace the cart by `change(cart)`, which is called again when somebody else was quicker."""
        key = cart_key(owner)
        changed: list[Cart] = []

        def attempt(pipeline: Any) -> None:
            changed[:] = [change(decode_cart(pipeline.get(key)))]
            pipeline.multi()
            if changed[0].lines:
                pipeline.set(key, encode_cart(changed[0]), ex=KEEP_S)
            else:
                pipeline.delete(key)

        with redis_errors():
            self._redis.transaction(attempt, key)
        return changed[0]

    def delete(self, owner: str) -> None:
        """Forget the cart."""
        with redis_errors():
            self._redis.delete(cart_key(owner))


def _bounded(quantity: int) -> int:
    return max(1, min(quantity, MAX_QUANTITY))
