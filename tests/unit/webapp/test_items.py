"""The product page."""

from __future__ import annotations

import re

import pytest

from engine.errors import Unavailable
from engine.types import Item
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices

pytestmark = pytest.mark.unit


def test_details_and_similar_products_are_shown(browser: Browser) -> None:
    page = browser.text("/items/111")
    assert "<h1>Bananas</h1>" in page
    assert "Package size" in page
    assert "Often bought together" in page
    assert "Similar products" in page
    assert "Mangoes" in page


def test_only_what_was_bought_together_is_called_so(browser: Browser, services: FakeServices) -> None:
    browser.get("/items/111")
    assert services.recommend.beside == {
        "together": ("item_to_item",),
        "similar": ("two_tower", "content"),
    }


def test_another_spelling_of_an_id_shows_the_same_product(browser: Browser, services: FakeServices) -> None:
    browser.get("/")
    assert "<h1>Bananas</h1>" in browser.text("/items/111.0")
    browser.post("/cart/add", item_id=" 112.0 ")
    assert [(event.item_id, event.type) for event in services.user.events] == [
        ("111", "view"),
        ("112", "cart"),
    ]


def test_the_token_of_the_list_goes_on_with_the_page(browser: Browser) -> None:
    assert 'name="token" value="list-1"' in browser.text("/items/111?token=list-1")


def test_a_first_request_without_a_session_records_nothing(browser: Browser, services: FakeServices) -> None:
    browser.get("/items/111?token=list-1")
    assert services.user.events == []


def test_a_page_loaded_ahead_by_the_browser_records_nothing(browser: Browser, services: FakeServices) -> None:
    browser.get("/")
    browser.get("/items/111?token=list-1", **{"Sec-Purpose": "prefetch;prerender"})
    browser.client.head("/items/111?token=list-1")
    assert services.user.events == []


def test_a_page_opened_from_a_list_is_a_click_and_else_a_view(
    browser: Browser, services: FakeServices
) -> None:
    browser.get("/")
    browser.get("/items/111?token=list-1")
    browser.get("/items/112")
    browser.get("/items/112")
    told = [(event.item_id, event.type, event.attribution_token) for event in services.user.events]
    assert told == [("111", "click", "list-1"), ("112", "view", "")]


@pytest.mark.parametrize(
    ("why", "words"),
    [
        ("bought_again", "You bought this before"),
        ("b.112", "Because you bought Mangoes"),
        ("s.112", "Similar to Mangoes"),
        ("t.112", "Often bought together with Mangoes"),
        ("g.age=45-54", "Popular with households like yours (age 45-54)"),
    ],
)
def test_why_an_item_is_shown_is_said_in_words(why: str, words: str, browser: Browser) -> None:
    page = browser.text(f"/items/111?why={why}")
    assert "Why you see this" in page
    assert words in page


@pytest.mark.parametrize("why", ["g.age=call 555", "b.999", "b.", "nonsense", "g.town=Oslo", "x" * 5000])
def test_a_made_up_reason_puts_no_words_into_the_shops_mouth(why: str, browser: Browser) -> None:
    response = browser.get(f"/items/111?why={why}")
    page = response.get_data(as_text=True)
    assert response.status_code == 200
    assert "Why you see this" not in page
    assert "call 555" not in page.split("<main")[1].split("<form")[0]


def test_links_of_lists_carry_token_and_reason(browser: Browser) -> None:
    assert re.search(r"/items/\d+\?token=token-home-[^\"]+&amp;why=popular", browser.text("/"))
    assert "token=token-together-111&amp;why=t.111" in browser.text("/items/111")


def test_products_looked_at_are_shown_again(browser: Browser) -> None:
    browser.get("/")
    browser.get("/items/111")
    page = browser.text("/items/112")
    assert "Looked at lately" in page
    assert "Bananas" in page.split('id="seen"')[1]
    assert "Looked at lately" in browser.text("/")


@pytest.mark.parametrize("item_id", ["999", "x" * 10_000, "%00", "../etc/passwd", "a/b"])
def test_an_unknown_product_is_a_friendly_404(item_id: str, browser: Browser) -> None:
    response = browser.get(f"/items/{item_id}")
    assert response.status_code == 404
    page = response.get_data(as_text=True)
    assert "does not exist" in page
    assert "Popular in the shop" in page


def test_an_id_with_a_slash_has_a_page(browser: Browser, services: FakeServices) -> None:
    services.item.items["a/b"] = Item("a/b", title="Odd one")
    assert "Odd one" in browser.text("/items/a/b")


def test_the_page_stays_when_similar_products_cannot_be_read(
    browser: Browser, services: FakeServices
) -> None:
    services.recommend.fail = Unavailable("recommend")
    response = browser.get("/items/111")
    assert response.status_code == 200
    assert "These are not available at the moment." in response.get_data(as_text=True)


def test_without_the_item_service_a_product_seen_before_is_shown_and_marked(
    browser: Browser, services: FakeServices
) -> None:
    assert "X-ECRS-Stale" not in browser.get("/items/111").headers
    services.item.fail = Unavailable("item: 10.0.0.3:8920 refused")
    for path, title, part in (
        ("/items/111", "Bananas", "Package size"),  # its page was opened
        ("/items/112", "Mangoes", "Similar products"),  # it was in a list
    ):
        response = browser.get(path)
        page = response.get_data(as_text=True)
        assert response.status_code == 200
        assert "items" in response.headers["X-ECRS-Stale"]
        assert f"<h1>{title}</h1>" in page
        assert part in page
        assert "may be a little out of date" in page
        assert "10.0.0.3" not in page


def test_a_copy_is_not_shown_when_the_product_is_gone(browser: Browser, services: FakeServices) -> None:
    browser.get("/items/111")
    item = services.item.items.pop("111")
    assert browser.get("/items/111").status_code == 404
    services.item.items["111"] = item
    services.item.fail = Unavailable("away")
    assert "<h1>Bananas</h1>" not in browser.text("/items/111")


def test_a_product_of_which_there_is_no_copy_gives_way_to_others(
    browser: Browser, services: FakeServices
) -> None:
    services.item.fail = services.recommend.fail = Unavailable("item: 10.0.0.3:8920 refused")
    assert browser.get("/items/111").status_code == 503
    assert browser.get("/items/111", Accept="application/json").status_code == 503
    services.recommend.fail = None
    response = browser.get("/items/111")
    assert response.status_code == 200
    assert response.headers["Retry-After"] == "5"
    assert "cannot be shown at the moment" in response.get_data(as_text=True)
    assert "Popular in the shop" in response.get_data(as_text=True)


def test_a_cart_never_takes_a_copy(browser: Browser, services: FakeServices) -> None:
    browser.get("/items/111")
    services.item.fail = Unavailable("away")
    assert browser.post("/events", type="cart", item_id="111").status_code == 503
