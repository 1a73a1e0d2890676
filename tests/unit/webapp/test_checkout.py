"""From a cart to an order: once, as reviewed, with its events."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from engine.errors import Unavailable
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import MemoryOrders
from webapp.stores import Stores

pytestmark = pytest.mark.unit


def review(browser: Browser) -> dict[str, str]:
    """The hidden fields of the checkout page's form."""
    page = browser.text("/checkout")
    return {
        name: found[1]
        for name in ("cart_id", "fingerprint")
        if (found := re.search(rf'name="{name}" value="([^"]+)"', page))
    }


def test_an_order_is_placed_with_a_purchase_event_a_line(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    browser.post("/cart/add", item_id="111", quantity="2", token="list-1")
    browser.post("/cart/add", item_id="112", token="list-2")
    response = browser.post("/checkout", **review(browser))
    assert response.status_code == 303
    page = browser.text(response.location)
    assert "Thank you for your order" in page
    assert "nothing was charged" in page
    bought = [one for one in services.user.events if one.type == "purchase"]
    price = services.item.items["111"].price or 0
    assert [(one.user_id, one.item_id, one.attribution_token) for one in bought] == [
        ("3", "111", "list-1"),
        ("3", "112", "list-2"),
    ]
    assert bought[0].value == pytest.approx(2 * price)
    assert "Your cart is empty." in browser.text("/cart")
    assert response.location in browser.text("/orders")


def test_the_same_form_sent_twice_is_one_order(browser: Browser, services: FakeServices) -> None:
    browser.post("/cart/add", item_id="111")
    form = review(browser)
    first, second = (browser.post("/checkout", **form) for _ in range(2))
    assert first.location == second.location
    assert len([one for one in services.user.events if one.type == "purchase"]) == 1


def test_a_cart_that_changed_since_the_review_is_shown_again(
    browser: Browser, services: FakeServices, stores: Stores
) -> None:
    browser.post("/cart/add", item_id="111")
    form = review(browser)
    browser.post("/cart/add", item_id="112")
    response = browser.post("/checkout", **form)
    assert response.status_code == 409
    assert "has changed" in response.get_data(as_text=True)
    form = review(browser)
    services.item.items["111"] = replace(services.item.items["111"], price=99.0)
    assert browser.post("/checkout", **form).status_code == 409
    assert isinstance(stores.orders, MemoryOrders)
    assert stores.orders.orders == {}


def test_what_is_not_available_is_left_out(browser: Browser, services: FakeServices, stores: Stores) -> None:
    browser.post("/cart/add", item_id="111")
    browser.post("/cart/add", item_id="112")
    services.item.items["112"] = replace(services.item.items["112"], available=False)
    assert "What is not available is left out." in browser.text("/checkout")
    browser.post("/checkout", **review(browser))
    assert isinstance(stores.orders, MemoryOrders)
    (order,) = stores.orders.orders.values()
    assert [line.item_id for line in order.lines] == ["111"]


def test_there_is_nothing_to_order_in_an_empty_cart(browser: Browser, services: FakeServices) -> None:
    assert browser.get("/checkout").location == "/cart"
    assert browser.post("/checkout", cart_id="0" * 16, fingerprint="x").location == "/cart"
    assert "nothing to order yet" in browser.text("/cart")
    browser.post("/cart/add", item_id="111")
    services.item.fail = Unavailable("item")
    assert browser.get("/checkout").location == "/cart"
    services.item.fail = None
    services.item.items["111"] = replace(services.item.items["111"], available=False)
    assert browser.get("/checkout").location == "/cart"
    assert "Nothing in your cart is available" in browser.text("/cart")


def test_events_that_did_not_get_through_are_recorded_when_the_order_is_shown(
    browser: Browser, services: FakeServices
) -> None:
    browser.post("/cart/add", item_id="111")
    form = review(browser)
    token = {"csrf_token": re.findall(r'name="csrf_token" value="([^"]+)"', browser.text("/cart"))[0]}
    services.user.fail = Unavailable("user")
    response = browser.client.post("/checkout", data={**token, **form})
    assert response.status_code == 303
    assert "do not know of this order yet" in browser.text(response.location)
    services.user.fail = None
    for _ in range(2):
        assert "do not know of this order yet" not in browser.text(response.location)
    assert len([one for one in services.user.events if one.type == "purchase"]) == 1


def test_another_shoppers_order_does_not_exist(browser: Browser, other_browser: Browser) -> None:
    browser.post("/cart/add", item_id="111")
    form = review(browser)
    address = browser.post("/checkout", **form).location
    assert other_browser.get(address).status_code == 404
    assert address not in other_browser.text("/orders")
    assert "No orders yet." in other_browser.text("/orders")
    assert other_browser.post("/checkout", **form).location == "/cart"


@pytest.mark.parametrize("order_id", ["x", "0" * 16, "..%2F..", "é" * 16])
def test_an_order_that_is_none_is_a_404(order_id: str, browser: Browser) -> None:
    assert browser.get(f"/orders/{order_id}").status_code == 404


def test_visitors_may_order_and_take_the_order_along(browser: Browser) -> None:
    browser.post("/cart/add", item_id="111")
    address = browser.post("/checkout", **review(browser)).location
    browser.sign_in("3")
    assert browser.get(address).status_code == 200
    browser.post("/signout")
    assert browser.get(address).status_code == 404
