"""The home page: who you are, your list, and what happens when a service does not answer."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from flask import Flask

from engine.errors import DeadlineExceeded, Unavailable
from engine.types import Item
from engine.vocabulary import Degradation
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices
from webapp.storefront.wording import DEGRADED
from webapp.stores import Stores

pytestmark = pytest.mark.unit


def test_an_anonymous_visitor_sees_a_list_and_the_synthetic_notice(browser: Browser) -> None:
    page = browser.text("/")
    assert len(browser.cards()) == 24
    assert "Synthetic data." in page
    assert "Simulated from real shopping patterns." in page
    assert "You are shopping anonymously" in page


def test_a_household_sees_its_profile_reasons_scores_prices_and_small_print(browser: Browser) -> None:
    browser.sign_in("2")
    page = browser.text("/")
    assert "Hello, household 2" in page
    assert "<dt>Income</dt><dd>35-49K</dd>" in page
    assert "Popular with households like yours (age 45-54)" in page
    assert "You bought this before" in page
    assert re.search(r"\$\d+\.\d\d", page)
    assert "fake-20250101T000000Z" in page
    assert "recall 8.0" in page


def test_two_households_get_lists_of_their_own(browser: Browser, other_browser: Browser) -> None:
    browser.sign_in("1")
    other_browser.sign_in("2")
    assert browser.cards() != other_browser.cards()


def test_a_page_is_never_stored_and_differs_by_cookie(browser: Browser) -> None:
    response = browser.get("/")
    assert response.headers["Cache-Control"] == "private, no-store"
    assert "Cookie" in response.headers["Vary"]


def test_nothing_of_one_shopper_is_shown_to_another(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    browser.sign_in("1")
    browser.get("/items/111?token=t")
    mine = browser.text("/")
    theirs = other_browser.text("/")
    assert "Because you looked at Bananas" in mine
    assert "Because you" not in theirs
    assert "household 1" not in theirs
    assert "token-home-1" not in theirs


def test_what_is_cached_names_no_shopper(app: Flask, browser: Browser) -> None:
    browser.sign_in("1")
    browser.get("/")
    (cache,) = app.extensions["cache"].values()
    assert sorted(cache._cache) == ["personas:", "rail:new", "rail:popular", "rail:trending"]
    assert "token-home-1" not in str(cache._cache)


def test_shared_rails_are_asked_for_once_a_minute_and_not_per_shopper(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    browser.get("/")
    other_browser.get("/")
    placements = [query.placement for query in services.recommend.asked]
    assert [placements.count(name) for name in ("popular", "trending", "new")] == [1, 1, 1]
    assert placements.count("home") == 2


@pytest.mark.parametrize("part", list(Degradation))
def test_each_missing_part_is_said_in_plain_words(
    part: Degradation, browser: Browser, services: FakeServices
) -> None:
    services.recommend.degraded = frozenset({part})
    response = browser.get("/")
    assert response.status_code == 200
    assert str(DEGRADED[part]) in response.get_data(as_text=True)


def test_items_without_details_are_shown_by_number(browser: Browser, services: FakeServices) -> None:
    services.recommend.degraded = frozenset({Degradation.ITEM})
    assert re.search(r"Product 1\d\d<", browser.text("/"))


@pytest.mark.parametrize("error", [Unavailable("recommend"), DeadlineExceeded("recommend")])
def test_without_recommend_the_cached_popular_rail_stands_in(
    error: Unavailable, browser: Browser, services: FakeServices
) -> None:
    browser.get("/")
    services.recommend.fail = error
    response = browser.get("/")
    page = response.get_data(as_text=True)
    assert response.status_code == 200
    assert len(browser.cards()) == 24
    assert "Here is what is popular." in page
    assert "Try again" in page


def test_without_recommend_and_without_a_copy_the_item_service_names_what_is_popular(
    browser: Browser, services: FakeServices
) -> None:
    services.recommend.fail = Unavailable("recommend")
    response = browser.get("/")
    assert response.status_code == 200
    assert response.headers["X-ECRS-Stale"] == "lists"
    assert len(browser.cards()) == 24


def test_without_recommend_and_items_and_without_a_copy_the_page_says_so(
    browser: Browser, services: FakeServices
) -> None:
    services.recommend.fail = services.item.fail = Unavailable("recommend")
    response = browser.get("/")
    assert response.status_code == 503
    assert "Suggestions are not available at the moment." in response.get_data(as_text=True)


def test_a_household_is_greeted_by_number_when_its_profile_cannot_be_read(
    browser: Browser, services: FakeServices
) -> None:
    browser.sign_in("2")
    services.user.fail = Unavailable("user")
    response = browser.get("/")
    assert response.status_code == 200
    assert "Hello, household 2" in response.get_data(as_text=True)


def test_text_from_the_catalogue_is_escaped(browser: Browser, services: FakeServices) -> None:
    evil = '"><script>alert(1)</script>'
    for item_id, item in services.item.items.items():
        services.item.items[item_id] = replace(item, title=evil, brand=evil, category_path=(evil, "x"))
    browser.post("/events", type="click", item_id="101", token="t")
    for path in ("/", "/items/101"):
        page = browser.text(path)
        assert "<script" not in page
        assert "&lt;script&gt;" in page


def test_an_item_without_price_and_brand_is_shown(browser: Browser, services: FakeServices) -> None:
    services.item.items = {"5": Item("5", title="Loose tea")}
    page = browser.text("/")
    assert "price unknown" in page
    assert "None" not in page


def test_each_part_of_the_page_may_be_missing_on_its_own(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("1")
    browser.get("/items/111")
    services.user.fail = services.item.fail = Unavailable("away")
    response = browser.get("/")
    page = response.get_data(as_text=True)
    assert response.status_code == 200
    assert len(browser.cards()) == 24
    assert "Trending" in page
    assert "Looked at lately" not in page


def test_a_first_visit_looks_up_neither_past_nor_cart(
    browser: Browser, services: FakeServices, stores: Stores, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up: list[str] = []
    past, cart = services.user.list_user_events, stores.carts.get
    monkeypatch.setattr(
        services.user, "list_user_events", lambda *asked: looked_up.append("past") or past(*asked)
    )
    monkeypatch.setattr(stores.carts, "get", lambda owner: looked_up.append("cart") or cart(owner))
    assert browser.get("/").status_code == 200
    assert looked_up == []
    assert browser.get("/").status_code == 200
    assert sorted(looked_up) == ["cart", "past"]


def test_rails_show_nothing_twice(browser: Browser) -> None:
    page = browser.text("/")
    ids = re.findall(r'name="item_id" value="([^"]+)"', page)
    assert len(ids) == len(set(ids)) >= 24
    assert [f'id="{name}"' in page for name in ("for-you", "trending", "new")] == [True] * 3


def test_a_household_gets_its_own_rail_to_buy_again(browser: Browser, services: FakeServices) -> None:
    assert "Buy again" not in browser.text("/")
    browser.sign_in("1")
    assert "Buy again" in browser.text("/")
    asked = [query for query in services.recommend.asked if query.placement == "buy-again"]
    assert [(query.user_id, query.channels) for query in asked] == [("1", ("bought_again",))]


def test_the_page_keeps_its_budget(browser: Browser) -> None:
    browser.sign_in("1")
    for item_id in range(111, 125):
        browser.get(f"/items/{item_id}")
    page = browser.get("/").get_data()
    found = re.findall(rb'(?:href|src)="(/static/[^"#]+)', page)
    addresses = {address.decode().replace("&amp;", "&") for address in found}
    parts = [browser.get(address).get_data() for address in addresses]
    assert len(parts) + 1 <= 15
    assert len(page) + sum(map(len, parts)) <= 150_000  # before compression
