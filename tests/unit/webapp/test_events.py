"""Clicks and the like become events, and the next list shows their effect."""

from __future__ import annotations

import pytest

from engine.errors import Unavailable
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices

pytestmark = pytest.mark.unit


def test_opening_a_product_of_a_list_is_recorded_with_its_token(
    browser: Browser, services: FakeServices
) -> None:
    browser.sign_in("7")
    browser.get("/items/111?token=list-1")
    (event,) = services.user.events
    assert (event.user_id, event.item_id, event.type) == ("7", "111", "click")
    assert event.attribution_token == "list-1"


def test_an_anonymous_click_changes_the_next_list(browser: Browser, services: FakeServices) -> None:
    before = browser.cards()
    browser.get("/items/111?token=t")
    after = browser.cards()
    assert before != after
    assert services.user.events[0].user_id.startswith("anon-")
    assert "Because you looked at Bananas" in browser.text("/")


def test_two_anonymous_visitors_have_two_ids(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    for visitor in (browser, other_browser):
        visitor.get("/")
        visitor.get("/items/111?token=t")
    assert len({event.user_id for event in services.user.events}) == 2


def test_the_same_button_of_the_same_list_counts_once(browser: Browser, services: FakeServices) -> None:
    for _ in range(2):
        browser.post("/events", type="cart", item_id="111", token="t")
    browser.post("/events", type="cart", item_id="111", token="another list")
    assert len(services.user.events) == 2


def test_what_went_into_the_cart_is_named_as_the_reason(browser: Browser) -> None:
    response = browser.post("/events", type="cart", item_id="111", token="t", back="/#for-you")
    assert response.location == "/#for-you"
    page = browser.text("/")
    assert "Because you put in your cart Bananas" not in page
    assert "Because you chose Bananas" in page
    assert "Bananas is in your cart" in page


def test_a_product_of_no_interest_is_not_shown_again(browser: Browser) -> None:
    first = browser.cards()[0]
    browser.post("/events", type="dislike", item_id=first, token="t", back="/")
    assert first not in browser.cards()


@pytest.mark.parametrize(
    "form",
    [
        {"type": "purchase", "item_id": "111"},
        {"type": "", "item_id": "111"},
        {"type": "click", "item_id": "111"},
        {"type": "dislike", "item_id": ""},
        {"type": "dislike", "item_id": "x" * 10_000},
        {"type": "dislike", "item_id": "a\x00b"},
        {},
    ],
)
def test_a_bad_event_is_refused_and_not_recorded(
    form: dict[str, str], browser: Browser, services: FakeServices
) -> None:
    assert browser.post("/events", **form).status_code == 400
    assert services.user.events == []


def test_a_token_that_cannot_be_ours_is_dropped(browser: Browser, services: FakeServices) -> None:
    browser.get("/")
    browser.get("/items/111?token=" + "x" * 1000)
    assert services.user.events[0].attribution_token == ""


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "javascript:alert(1)", "", "/a\nb"],
)
def test_a_redirect_never_leaves_the_shop(target: str, browser: Browser) -> None:
    assert browser.post("/events", type="cart", item_id="111", back=target).location == "/"


def test_without_a_csrf_token_nothing_is_recorded(browser: Browser, services: FakeServices) -> None:
    browser.get("/")
    for path in ("/events", "/signin", "/register", "/signout"):
        response = browser.client.post(path, data={"type": "click", "item_id": "111", "user_id": "1"})
        assert response.status_code == 400
        assert "reload the page" in response.get_data(as_text=True)
    assert services.user.events == []


def test_when_events_cannot_be_recorded_the_shopper_still_gets_on(
    browser: Browser, services: FakeServices
) -> None:
    browser.get("/signin")  # leaves the persona page in the cache
    services.user.fail = Unavailable("user")
    response = browser.post("/events", type="dislike", item_id="111", token="t", back="/items/111?token=t")
    assert response.location == "/items/111?token=t"
    page = browser.get(response.location)
    assert page.status_code == 200
    assert "could not write that down" in page.get_data(as_text=True)
