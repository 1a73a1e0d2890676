"""The cart: what goes in, what it comes to, and what is said about it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from engine.errors import Unavailable
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import MemoryCarts
from webapp.stores import Stores
from webapp.stores.carts import EMPTY, MAX_LINES, MAX_QUANTITY, Cart, decode_cart, encode_cart

pytestmark = pytest.mark.unit


def lines(cart: Cart) -> list[tuple[str, int, str]]:
    return [(line.item_id, line.quantity, line.token) for line in cart.lines]


def test_more_of_a_product_keeps_its_place_and_its_newest_token() -> None:
    cart = EMPTY.added("a", 1, "t1").added("b", 2).added("a", 3, "t2").added("a", 1)
    assert lines(cart) == [("a", 5, "t2"), ("b", 2, "")]
    assert cart.count == 7


def test_a_cart_keeps_its_id_until_it_is_empty() -> None:
    cart = EMPTY.added("a")
    changed = cart.added("b").with_quantity("a", 4)
    assert changed.cart_id == cart.cart_id
    assert changed.with_quantity("a", 0).with_quantity("b", 0) == EMPTY


def test_quantities_and_lines_have_their_limits() -> None:
    assert EMPTY.added("a", 10_000).count == MAX_QUANTITY
    full = EMPTY
    for number in range(MAX_LINES + 5):
        full = full.added(str(number))
    assert len(full.lines) == MAX_LINES
    assert full.added("0").quantity("0") == 2


def test_what_is_in_both_carts_is_one_wish() -> None:
    merged = EMPTY.added("a", 2).added("b").merged(EMPTY.added("a", 3, "t").added("c", 1, "u"))
    assert lines(merged) == [("a", 3, "t"), ("b", 1, ""), ("c", 1, "u")]


@pytest.mark.parametrize("raw", [None, b"nonsense", b"{}", b"[1]", b'{"cart_id": "x", "lines": [{"no": 1}]}'])
def test_what_is_no_cart_reads_as_an_empty_one(raw: bytes | None) -> None:
    assert decode_cart(raw) == EMPTY


def test_a_cart_survives_being_written_down() -> None:
    cart = EMPTY.added("a", 2, "t").added("Käse")
    assert decode_cart(encode_cart(cart)) == cart


def test_the_buttons_of_cards_fill_the_cart_and_make_events(browser: Browser, services: FakeServices) -> None:
    browser.post("/events", type="cart", item_id="111", token="list-1", back="/")
    browser.post("/cart/add", item_id="112", token="list-2", quantity="2")
    page = browser.text("/cart")
    assert "Bananas" in page
    assert 'name="quantity" type="number" inputmode="numeric" min="1" max="99" value="2"' in page
    prices = [services.item.items[item_id].price or 0 for item_id in ("111", "112")]
    assert f"${prices[0] + 2 * prices[1]:.2f}" in page
    events = [(one.item_id, one.type, one.attribution_token, one.value) for one in services.user.events]
    assert events == [
        ("111", "cart", "list-1", prices[0]),
        ("112", "cart", "list-2", pytest.approx(2 * prices[1])),
    ]


def test_the_header_says_how_many_pieces_there_are(browser: Browser) -> None:
    browser.post("/cart/add", item_id="111", quantity="7")
    assert '<span class="count">7</span>' in browser.text("/")


def test_only_more_of_a_product_is_an_event(browser: Browser, services: FakeServices) -> None:
    browser.post("/cart/add", item_id="111", token="list-1")
    for quantity in ("4", "2"):
        browser.post("/cart/change", item_id="111", quantity=quantity)
    browser.post("/cart/change", item_id="111", remove="1")
    price = services.item.items["111"].price or 0
    assert [(one.type, one.value, one.attribution_token) for one in services.user.events] == [
        ("cart", price, "list-1"),
        ("cart", pytest.approx(3 * price), "list-1"),
    ]
    assert "Your cart is empty." in browser.text("/cart")


def test_a_line_that_is_gone_meanwhile_is_told(browser: Browser) -> None:
    assert browser.post("/cart/change", item_id="111", quantity="2").status_code == 303
    assert "not in your cart any more" in browser.text("/cart")


@pytest.mark.parametrize(
    ("path", "form", "status"),
    [
        ("/cart/add", {"item_id": ""}, 400),
        ("/cart/add", {"item_id": "no-such-product"}, 404),
        ("/cart/change", {"item_id": "111", "quantity": "-1"}, 400),
        ("/cart/change", {"item_id": "111", "quantity": "²"}, 400),
        ("/cart/change", {"item_id": "111"}, 400),
        ("/cart/change", {"item_id": "a\x00", "quantity": "1"}, 400),
    ],
)
def test_nonsense_is_refused(path: str, form: dict[str, str], status: int, browser: Browser) -> None:
    assert browser.post(path, **form).status_code == status


def test_the_way_back_never_leaves_the_shop(browser: Browser) -> None:
    assert browser.post("/cart/add", item_id="111", back="https://evil.example/").location == "/cart"


def test_what_became_unavailable_is_shown_as_such_and_costs_nothing(
    browser: Browser, services: FakeServices
) -> None:
    browser.post("/cart/add", item_id="111")
    browser.post("/cart/add", item_id="112")
    services.item.items["111"] = replace(services.item.items["111"], available=False)
    del services.item.items["112"]
    page = browser.text("/cart")
    assert "Not available at the moment" in page
    assert "Not available any more" in page
    assert "$0.00" in page
    assert "To checkout" not in page


def test_an_unavailable_product_does_not_get_in(browser: Browser, services: FakeServices) -> None:
    services.item.items["111"] = replace(services.item.items["111"], available=False)
    browser.post("/cart/add", item_id="111")
    page = browser.text("/cart")
    assert "Bananas is not available at the moment." in page
    assert services.user.events == []


def test_the_rails_show_what_goes_with_the_cart_and_nothing_in_it(
    browser: Browser, services: FakeServices
) -> None:
    browser.post("/cart/add", item_id="111", token="t")
    page = browser.text("/cart")
    assert "Often bought with Bananas" in page
    assert "You may also need" in page
    rails = page.split('id="together"')[1]
    assert 'name="item_id" value="111"' not in rails
    together, needed = rails.split('id="needed"')
    ids = [part.split('"')[0] for part in together.split('name="item_id" value="')[1:]]
    assert ids
    assert not any(f'name="item_id" value="{item_id}"' in needed for item_id in ids)
    asked = [query for query in services.recommend.asked if query.placement == "cart"]
    assert asked[-1].filter.exclude_item_ids == {"111"}


def test_the_cart_is_there_without_suggestions_and_without_items(
    browser: Browser, services: FakeServices
) -> None:
    browser.post("/cart/add", item_id="111")
    services.recommend.fail = Unavailable("recommend")
    assert "Often bought" not in browser.text("/cart")
    services.item.fail = Unavailable("item")
    page = browser.text("/cart")
    assert "your cart is safe" in page
    assert "Product 111" in page


def test_pages_live_without_carts_but_the_cart_asks_to_try_again(browser: Browser, stores: Stores) -> None:
    assert isinstance(stores.carts, MemoryCarts)
    browser.get("/")
    stores.carts.down = True
    assert browser.get("/").status_code == 200
    assert browser.get("/cart").status_code == 503
    assert browser.post("/cart/add", item_id="111").status_code == 503


def test_two_visitors_have_two_carts(browser: Browser, other_browser: Browser) -> None:
    browser.post("/cart/add", item_id="111")
    assert "Your cart is empty." in other_browser.text("/cart")
