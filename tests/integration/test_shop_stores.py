"""Carts, orders and accounts: one suite for the real Redis and for the tests' stand-in."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
import redis

from engine.errors import Unavailable
from tests.unit.webapp.stores import memory_stores
from webapp.stores import Stores, redis_stores
from webapp.stores.accounts import Account
from webapp.stores.carts import EMPTY, Cart
from webapp.stores.orders import CartChanged, Order, OrderLine

pytestmark = pytest.mark.integration


@pytest.fixture(params=["redis", "memory"])
def stores(request: pytest.FixtureRequest, redis_url: str) -> Stores:
    return redis_stores(redis_url) if request.param == "redis" else memory_stores()


def order_of(cart: Cart, owner: str) -> Order:
    lines = tuple(OrderLine(line.item_id, "Käse", line.quantity, 1.25, token="t") for line in cart.lines)
    return Order(cart.cart_id, owner, 1_700_000_000_000, "USD", lines)


def test_a_cart_is_kept_by_its_owner(stores: Stores) -> None:
    cart = stores.carts.change("ann", lambda cart: cart.added("a", 2, "t"))
    assert stores.carts.get("ann") == cart
    assert stores.carts.get("bob") == EMPTY
    stores.carts.change("ann", lambda cart: cart.with_quantity("a", 0))
    assert stores.carts.get("ann") == EMPTY
    stores.carts.change("ann", lambda cart: cart.added("a"))
    stores.carts.delete("ann")
    assert stores.carts.get("ann") == EMPTY


def test_an_order_is_placed_once_and_empties_the_cart(stores: Stores) -> None:
    cart = stores.carts.change("ann", lambda cart: cart.added("a", 2))
    order = order_of(cart, "ann")
    assert stores.orders.place(order, cart) == order
    assert stores.carts.get("ann") == EMPTY
    assert stores.orders.place(order, cart) == order
    assert stores.orders.of("ann") == [order]
    assert stores.orders.get(order.order_id) == order


def test_a_cart_that_is_another_one_by_now_is_not_ordered(stores: Stores) -> None:
    cart = stores.carts.change("ann", lambda cart: cart.added("a"))
    changed = stores.carts.change("ann", lambda cart: cart.added("b"))
    with pytest.raises(CartChanged):
        stores.orders.place(order_of(cart, "ann"), cart)
    assert stores.carts.get("ann") == changed
    assert stores.orders.of("ann") == []


def test_orders_are_marked_moved_and_forgotten(stores: Stores) -> None:
    for item in ("a", "b"):
        cart = stores.carts.change("visitor", lambda cart, item=item: cart.added(item))  # type: ignore[misc]
        stores.orders.place(order_of(cart, "visitor"), cart)
    newest = stores.orders.of("visitor")[0]
    stores.orders.mark_recorded(newest.order_id)
    stores.orders.move("visitor", "ann")
    stores.orders.move("nobody", "ann")
    assert stores.orders.of("visitor") == []
    moved = stores.orders.of("ann")
    assert [order.recorded for order in moved] == [True, False]
    assert [order.lines[0].item_id for order in moved] == ["b", "a"]
    stores.orders.delete_of("ann")
    assert stores.orders.of("ann") == []
    assert stores.orders.get(newest.order_id) is None


def test_a_login_name_belongs_to_the_first(stores: Stores) -> None:
    account = Account("ann", "new-1", "scrypt:…")
    assert stores.accounts.create(account)
    assert not stores.accounts.create(Account("ann", "new-2", "scrypt:…"))
    assert stores.accounts.get("ann") == account
    assert stores.accounts.login_of("new-1") == "ann"
    assert stores.accounts.login_of("new-2") == ""
    stores.accounts.delete_of("new-2")
    stores.accounts.delete_of("new-1")
    assert stores.accounts.get("ann") is None
    assert stores.accounts.login_of("new-1") == ""


def test_two_windows_at_once_lose_no_piece_and_make_one_order(redis_url: str) -> None:
    stores = redis_stores(redis_url)
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: stores.carts.change("ann", lambda cart: cart.added("a")), range(40)))
        cart = stores.carts.get("ann")
        assert cart.count == 40
        placed = list(pool.map(lambda _: stores.orders.place(order_of(cart, "ann"), cart), range(8)))
    assert len(set(placed)) == 1
    assert len(stores.orders.of("ann")) == 1


def test_carts_and_orders_do_not_stay_for_ever(redis_url: str) -> None:
    stores, client = redis_stores(redis_url), redis.Redis.from_url(redis_url)
    cart = stores.carts.change("ann", lambda cart: cart.added("a"))
    assert client.ttl("ecrs:shop:cart:ann") > 0
    stores.orders.place(order_of(cart, "ann"), cart)
    stores.orders.mark_recorded(cart.cart_id)
    assert client.ttl(f"ecrs:shop:order:{cart.cart_id}") > 0
    assert client.ttl("ecrs:shop:orders:ann") > 0


def test_what_others_wrote_reads_as_nothing(redis_url: str) -> None:
    stores, client = redis_stores(redis_url), redis.Redis.from_url(redis_url)
    for key in ("ecrs:shop:cart:ann", "ecrs:shop:order:0", "ecrs:shop:account:ann"):
        client.set(key, "nonsense")
    assert stores.carts.get("ann") == EMPTY
    assert stores.orders.get("0") is None
    assert stores.accounts.get("ann") is None


def test_a_redis_that_is_away_is_told() -> None:
    stores = redis_stores("redis://127.0.0.1:1/0")
    for call in (
        lambda: stores.carts.get("ann"),
        lambda: stores.carts.change("ann", lambda cart: cart),
        lambda: stores.orders.of("ann"),
        lambda: stores.accounts.get("ann"),
    ):
        with pytest.raises(Unavailable):
            call()
