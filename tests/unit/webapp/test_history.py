"""What a shopper did, in words and in pages."""

from __future__ import annotations

import pytest

from engine.errors import Unavailable
from engine.types import UserEvent
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices

pytestmark = pytest.mark.unit

DAY_MS = 86_400_000


def happened(services: FakeServices, user_id: str, *types_and_items: tuple[str, str], day: int = 1) -> None:
    services.user.events += [
        UserEvent(user_id, item_id, event_type, at_ms=day * DAY_MS, value=2.5)
        for event_type, item_id in types_and_items
    ]


def test_events_are_told_in_words_by_day(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    happened(services, "3", ("purchase", "111"), ("cart", "112"))
    happened(services, "3", ("click", "113"), ("rate", "no-longer-there"), day=2)
    page = browser.text("/history")
    for expected in (
        "You bought Bananas</a> · $2.50",
        "You put Mangoes into your cart",
        "You opened Pineapple",
        "You rated Product no-longer-there",
        "Friday, January 2, 1970",
        "Saturday, January 3, 1970",
    ):
        assert expected in page
    assert page.index("Pineapple") < page.index("You bought Bananas")


def test_history_is_in_pages(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    happened(services, "3", *[("purchase", "111")] * 60, ("view", "112"))
    first, second = browser.text("/history"), browser.text("/history?page=50")
    assert "Recently viewed" in first
    assert "/history?page=50" in first
    assert second.count("You bought") == 11
    assert "Recently viewed" not in second
    assert "Newest" in second


@pytest.mark.parametrize("token", ["nonsense", "9" * 600])
def test_a_token_that_is_not_ours_is_a_400(token: str, browser: Browser) -> None:
    assert browser.get(f"/history?page={token}").status_code == 400


def test_what_was_looked_at_is_listed_once(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    happened(services, "3", ("click", "111"), ("view", "112"), ("click", "111"))
    viewed = browser.text("/history").split('id="viewed-title"')[1].split("</section>")[0]
    assert viewed.count("<li>") == 2
    assert viewed.index("Bananas") < viewed.index("Mangoes")


def test_what_is_of_no_interest_is_listed_and_said_to_stay(browser: Browser) -> None:
    browser.post("/events", type="dislike", item_id="111", token="t")
    page = browser.text("/history")
    assert "Not interested" in page
    assert "cannot be taken back one by one" in page
    assert "You are not interested in Bananas" in page


def test_without_a_past_there_is_a_way_to_begin(browser: Browser) -> None:
    assert "Nothing here yet." in browser.text("/history")


def test_without_items_the_history_shows_numbers(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("3")
    happened(services, "3", ("purchase", "111"))
    services.item.fail = Unavailable("item")
    assert "You bought Product 111" in browser.text("/history")


def test_a_household_sees_its_own_history_only(browser: Browser, services: FakeServices) -> None:
    happened(services, "4", ("purchase", "111"))
    browser.sign_in("3")
    assert "Bananas" not in browser.text("/history")
