"""Orders: carts that were placed. Nothing is paid or delivered; an order is what its purchase events say."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, Protocol

import structlog

from services.common.redis import Redis, redis_errors
from webapp.stores.carts import Cart, cart_key, decode_cart

KEEP_S = 400 * 86_400
MAX_LISTED = 200

log = structlog.get_logger("webapp.orders")


@dataclass(frozen=True, slots=True)
class OrderLine:
    """A product as it was when ordered. `price`: of one piece, None = unknown."""

    item_id: str
    title: str
    quantity: int
    price: float | None = None
    brand: str = ""
    drawing: str = ""
    token: str = ""

    @property
    def total(self) -> float:
        """Price of all pieces; 0 when it is unknown."""
        return (self.price or 0.0) * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """`placed_at_ms` since the epoch; `recorded`: whether its purchase events reached the user service."""

    order_id: str
    owner: str
    placed_at_ms: int
    currency: str
    lines: tuple[OrderLine, ...]
    recorded: bool = False

    @property
    def total(self) -> float:
        """What the order costs."""
        return sum(line.total for line in self.lines)

    @property
    def count(self) -> int:
        """Pieces."""
        return sum(line.quantity for line in self.lines)


class CartChanged(Exception):
    """The cart changed since the shopper reviewed the order."""


class OrderStore(Protocol):
    """Where orders are kept. All raise Unavailable when the store does not answer."""

    def place(self, order: Order, cart: Cart) -> Order: ...

    def get(self, order_id: str) -> Order | None: ...

    def of(self, owner: str) -> list[Order]: ...

    def mark_recorded(self, order_id: str) -> None: ...

    def move(self, source: str, target: str) -> None: ...

    def delete_of(self, owner: str) -> None: ...


def order_key(order_id: str) -> str:
    """The key of an order: JSON object."""
    return f"ecrs:shop:order:{order_id}"


def orders_key(owner: str) -> str:
    """The key of a shopper's order ids: a list, newest first."""
    return f"ecrs:shop:orders:{owner}"


class RedisOrders:
    """Implements `OrderStore`."""

    def __init__(self, client: Redis) -> None:
        self._redis = client

    def place(self, order: Order, cart: Cart) -> Order:
        """Store the order and empty the cart, both or neither; an order of this id that exists is the answer.

        Raises CartChanged when the owner's cart is not `cart` any more.
        """
        placed: list[Order] = []

        def attempt(pipeline: Any) -> None:
            # The cart first: should another window order it just now, its order is seen in the next line.
            same = decode_cart(pipeline.get(cart_key(order.owner))) == cart
            existing = _decode(pipeline.get(order_key(order.order_id)))
            placed[:] = [existing or order]
            if existing is None and not same:
                raise CartChanged
            pipeline.multi()
            if existing is None:
                pipeline.set(order_key(order.order_id), _encode(order), ex=KEEP_S)
                pipeline.lpush(orders_key(order.owner), order.order_id)
                pipeline.ltrim(orders_key(order.owner), 0, MAX_LISTED - 1)
                pipeline.expire(orders_key(order.owner), KEEP_S)
                pipeline.delete(cart_key(order.owner))

        with redis_errors():
            self._redis.transaction(attempt, order_key(order.order_id), cart_key(order.owner))
        return placed[0]

    def get(self, order_id: str) -> Order | None:
        """The order of this id, whoever owns it."""
        with redis_errors():
            raw = self._redis.get(order_key(order_id))
        return _decode(raw)

    def of(self, owner: str) -> list[Order]:
        """A shopper's orders, newest first."""
        with redis_errors():
            ids = self._ids(owner)
            found: Any = self._redis.mget([order_key(one) for one in ids]) if ids else []
        orders = (_decode(raw) for raw in found)
        return [order for order in orders if order is not None and order.owner == owner]

    def mark_recorded(self, order_id: str) -> None:
        """Its purchase events are stored."""
        self._rewrite(order_id, {"recorded": True})

    def move(self, source: str, target: str) -> None:
        """Make one shopper's orders another's."""
        with redis_errors():
            ids = self._ids(source)
        for order_id in reversed(ids):
            self._rewrite(order_id, {"owner": target})
        if not ids:
            return
        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.lpush(orders_key(target), *reversed(ids))
            pipeline.ltrim(orders_key(target), 0, MAX_LISTED - 1)
            pipeline.expire(orders_key(target), KEEP_S)
            pipeline.delete(orders_key(source))
            pipeline.execute()

    def delete_of(self, owner: str) -> None:
        """Forget all orders of a shopper."""
        with redis_errors():
            ids = self._ids(owner)
            self._redis.delete(orders_key(owner), *(order_key(one) for one in ids))

    def _ids(self, owner: str) -> list[str]:
        raw: Any = self._redis.lrange(orders_key(owner), 0, MAX_LISTED - 1)
        return [one.decode() for one in raw]

    def _rewrite(self, order_id: str, values: dict[str, Any]) -> None:
        def attempt(pipeline: Any) -> None:
            order = _decode(pipeline.get(order_key(order_id)))
            pipeline.multi()
            if order is not None:
                pipeline.set(order_key(order_id), _encode(replace(order, **values)), keepttl=True)

        with redis_errors():
            self._redis.transaction(attempt, order_key(order_id))


def _encode(order: Order) -> str:
    return json.dumps(asdict(order), ensure_ascii=False, separators=(",", ":"))


def _decode(raw: Any) -> Order | None:
    if raw is None:
        return None
    try:
        values: dict[str, Any] = json.loads(raw)
        return Order(**{**values, "lines": tuple(OrderLine(**line) for line in values["lines"])})
    except (ValueError, KeyError, TypeError) as error:
        log.warning("order.unreadable", error=str(error))
        return None
