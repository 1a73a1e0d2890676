"""What the shop itself remembers of shoppers: carts, orders, accounts; profiles and events it does not."""

from __future__ import annotations

from dataclasses import dataclass

from services.common import redis
from webapp.stores.accounts import AccountStore, RedisAccounts
from webapp.stores.carts import CartStore, RedisCarts
from webapp.stores.orders import OrderStore, RedisOrders


@dataclass(frozen=True)
class Stores:
    """The three of them; all raise Unavailable when they do not answer."""

    carts: CartStore
    orders: OrderStore
    accounts: AccountStore


def redis_stores(url: str) -> Stores:
    """Stores on the Redis at `url`. Makes no connection yet."""
    client = redis.connect(url)
    return Stores(RedisCarts(client), RedisOrders(client), RedisAccounts(client))
