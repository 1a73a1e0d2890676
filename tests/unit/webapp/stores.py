"""Hand-written stand-ins of the shop's stores: dictionaries that can be made to fail."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from engine.errors import Unavailable
from webapp.stores import Stores
from webapp.stores.accounts import Account
from webapp.stores.carts import EMPTY, Cart
from webapp.stores.orders import CartChanged, Order


@dataclass
class MemoryCarts:
    """CartStore over a dictionary. `down`: every call raises Unavailable."""

    carts: dict[str, Cart] = field(default_factory=dict)
    down: bool = False

    def get(self, owner: str) -> Cart:
        self._check()
        return self.carts.get(owner, EMPTY)

    def change(self, owner: str, change: Callable[[Cart], Cart]) -> Cart:
        self._check()
        self.carts[owner] = change(self.get(owner))
        return self.carts[owner]

    def delete(self, owner: str) -> None:
        self._check()
        self.carts.pop(owner, None)

    def _check(self) -> None:
        if self.down:
            raise Unavailable("no carts")


@dataclass
class MemoryOrders:
    """OrderStore over a dictionary."""

    carts: MemoryCarts
    orders: dict[str, Order] = field(default_factory=dict)

    def place(self, order: Order, cart: Cart) -> Order:
        if order.order_id in self.orders:
            return self.orders[order.order_id]
        if self.carts.get(order.owner) != cart:
            raise CartChanged
        self.orders[order.order_id] = order
        self.carts.delete(order.owner)
        return order

    def get(self, order_id: str) -> Order | None:
        return self.orders.get(order_id)

    def of(self, owner: str) -> list[Order]:
        return [order for order in reversed(self.orders.values()) if order.owner == owner]

    def mark_recorded(self, order_id: str) -> None:
        self.orders[order_id] = replace(self.orders[order_id], recorded=True)

    def move(self, source: str, target: str) -> None:
        for order in self.of(source):
            self.orders[order.order_id] = replace(order, owner=target)

    def delete_of(self, owner: str) -> None:
        self.orders = {key: order for key, order in self.orders.items() if order.owner != owner}


@dataclass
class MemoryAccounts:
    """AccountStore over a dictionary."""

    accounts: dict[str, Account] = field(default_factory=dict)

    def get(self, login: str) -> Account | None:
        return self.accounts.get(login)

    def create(self, account: Account) -> bool:
        return self.accounts.setdefault(account.login, account) is account

    def login_of(self, user_id: str) -> str:
        return next((one.login for one in self.accounts.values() if one.user_id == user_id), "")

    def delete_of(self, user_id: str) -> None:
        self.accounts.pop(self.login_of(user_id), None)


def memory_stores() -> Stores:
    """Empty ones."""
    carts = MemoryCarts()
    return Stores(carts, MemoryOrders(carts), MemoryAccounts())
