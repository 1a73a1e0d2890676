"""The HTML of cards: kept by what they show, filled in with what belongs to the request."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask

from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from webapp.photos import ImageOrigins
from webapp.storefront.cards import Card, card_html

pytestmark = pytest.mark.unit

CARD = Card("1", "Bananas", "", "Fruit", "Fruit Bananas", "$1.00", "Popular", token="first", why="popular")


def first_form(page: str) -> dict[str, str]:
    """The hidden fields of the first card."""
    card = page.split('<li class="card">')[1].split("</li>", maxsplit=1)[0]
    return dict(re.findall(r'type="hidden" name="([^"]+)" value="([^"]*)"', card))


def test_each_shopper_gets_tokens_of_their_own(browser: Browser, other_browser: Browser) -> None:
    mine, others = first_form(browser.text("/")), first_form(other_browser.text("/"))
    assert mine["csrf_token"] != others["csrf_token"]
    assert mine["token"] != others["token"]
    mine["type"] = "dislike"
    assert browser.client.post("/events", data=mine).status_code == 303
    assert (
        browser.client.post("/events", data={**mine, "csrf_token": others["csrf_token"]}).status_code == 400
    )


def test_a_card_leads_back_to_the_page_it_is_on(browser: Browser) -> None:
    assert first_form(browser.text("/"))["back"] == "/#for-you"
    assert first_form(browser.text("/search?q=milk&sort=price"))["back"] == "/search?q=milk&amp;sort=price"
    assert first_form(browser.text("/search?q=milk"))["back"] == "/search?q=milk"


def test_a_kept_card_speaks_the_language_of_the_page(browser: Browser) -> None:
    for _ in range(2):
        assert "Not interested in" in browser.text("/")
        assert "Not interested in" not in browser.get("/", **{"Accept-Language": "zh"}).get_data(as_text=True)


def test_a_list_shows_an_item_as_it_is_now(browser: Browser, services: FakeServices) -> None:
    item_id = browser.cards("/")[0]
    item = services.item.items[item_id]
    services.item.items[item_id] = replace(item, price=123.45, available=False)
    card = browser.text("/").split('<li class="card">')[1].split("</li>")[0]
    assert "$123.45" in card
    assert "Not available" in card
    assert 'value="cart"' not in card


def test_what_is_filled_in_is_escaped(app: Flask) -> None:
    origins = ImageOrigins(())
    with app.test_request_context("/"):
        for token, back in (("first", "/"), ('"><b>&', '/"><b>')):
            html = card_html(origins, [replace(CARD, token=token)], back)
            assert "<b>" not in html
            assert html.count('value="cart"') == 1
        assert "token=%22%3E%3Cb%3E%26" in html
        assert 'name="token" value="&#34;&gt;&lt;b&gt;&amp;"' in html
        assert "token" not in card_html(origins, [replace(CARD, token="")], "/").replace("csrf_token", "")
        assert card_html(origins, [], "/") == ""
