"""What a page shows of the recommender's lists is recorded with their tokens, and costs the page nothing."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence

import pytest
from flask import Flask
from gevent.event import Event
from structlog.testing import capture_logs

from engine.errors import Unavailable
from engine.types import UserEvent
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fake_stores import FakeUsers
from tests.unit.webapp.fakes import FakeServices
from webapp.impressions import MOST_AT_ONCE, Impressions
from webapp.shop import EXTENSION, Shop

pytestmark = pytest.mark.unit

SHOWN = UserEvent("ann", "tea", "impression", attribution_token="t")


@pytest.fixture
def shop(app: Flask) -> Shop:
    found = app.extensions[EXTENSION]
    assert isinstance(found, Shop)
    return found


def shown_by(shop: Shop, services: FakeServices, browser: Browser, path: str) -> Counter[str]:
    """How many impressions of each list (token) one look at the page records."""
    assert shop.impressions.wait(2.0)  # what pages before showed
    services.user.impressions.clear()
    browser.get(path)
    assert shop.impressions.wait(2.0)
    return Counter(event.attribution_token for event in services.user.impressions)


def test_each_list_of_the_home_page_is_recorded_once_with_its_token(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.sign_in("7")
    assert shown_by(shop, services, browser, "/") == {
        "token-home-7-0": 24,
        "token-buy-again-7": 10,
        "token-trending-anon-shop-window": 10,
        "token-new-anon-shop-window": 9,  # the others are on the page already
    }
    assert {event.user_id for event in services.user.impressions} == {"7"}


def test_what_is_recorded_is_what_the_page_shows(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.get("/")
    page = browser.text("/")
    assert shop.impressions.wait(2.0)
    cards = re.findall(r'name="item_id" value="([^"]+)"', page)
    assert sorted(event.item_id for event in services.user.impressions) == sorted(cards)


def test_the_stand_in_is_recorded_as_the_list_that_it_is(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.get("/")
    services.recommend.fail = Unavailable("down")
    shown = shown_by(shop, services, browser, "/")
    assert shown["token-popular-anon-shop-window"] == 24
    assert not any(token.startswith("token-home") for token in shown)


def test_the_lists_beside_a_product_are_recorded(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.get("/")
    assert shown_by(shop, services, browser, "/items/111") == {
        "token-similar-111": 4,
        "token-together-111": 4,
    }


def test_an_unknown_product_records_the_popular_ones_shown_instead(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.get("/")
    assert shown_by(shop, services, browser, "/items/nothing") == {"token-popular-anon-shop-window": 10}


def test_a_category_by_taste_is_recorded_and_a_search_is_not(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.sign_in("7")
    by_taste = shown_by(shop, services, browser, "/c/produce?sort=for-you")
    assert list(by_taste) == ["token-category-7-0"]
    assert shown_by(shop, services, browser, "/search?q=bananas") == {}


def test_the_rails_under_the_cart_are_recorded_by_the_lists_they_are_made_of(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.sign_in("7")
    for item_id in ("111", "101"):
        browser.post("/cart/add", item_id=item_id)
    shown = shown_by(shop, services, browser, "/cart")
    assert set(shown) == {"token-cart-111", "token-cart-101", "token-cart-7-2"}
    assert len(services.user.impressions) == len({event.item_id for event in services.user.impressions})


def test_a_first_visit_and_a_page_fetched_ahead_record_nothing(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    assert shown_by(shop, services, browser, "/") == {}
    browser.get("/", **{"Sec-Purpose": "prefetch;prerender"})
    browser.client.head("/")
    assert shop.impressions.wait(2.0)
    assert services.user.impressions == []


def test_what_was_shown_is_no_part_of_what_a_shopper_did(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.sign_in("7")
    assert shown_by(shop, services, browser, "/")
    assert services.user.events == []
    assert services.user.of("7") == []


def test_the_page_is_the_same_when_the_user_service_fails(
    shop: Shop, services: FakeServices, browser: Browser
) -> None:
    browser.get("/items/111")
    before = browser.cards("/items/111")
    assert shop.impressions.wait(2.0)
    services.user.fail = Unavailable("the user service is down")
    with capture_logs() as logs:
        response = browser.get("/items/111")
        assert shop.impressions.wait(2.0)
    assert response.status_code == 200
    assert browser.cards("/items/111") == before
    assert [line["count"] for line in logs if line["event"] == "impressions.not_recorded"] == [8]
    assert shop.impressions.lost >= 8


class WaitingUsers(FakeUsers):
    """Records when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.go = Event()

    def record_user_events(self, events: Sequence[UserEvent], timeout_s: float) -> int:
        self.go.wait()
        return super().record_user_events(events, timeout_s)


def test_the_caller_does_not_wait_and_too_many_batches_are_dropped() -> None:
    users, impressions = WaitingUsers(), Impressions()
    with capture_logs() as logs:
        for _ in range(MOST_AT_ONCE + 3):
            impressions.send(users, [SHOWN], 1.0)
    assert not impressions.wait(0.0)
    assert users.impressions == []
    users.go.set()
    assert impressions.wait(2.0)
    assert len(users.impressions) == MOST_AT_ONCE
    assert impressions.lost == 3
    assert [line["lost"] for line in logs] == [1, 2, 3]


def test_nothing_shown_is_nothing_sent() -> None:
    users, impressions = FakeUsers(), Impressions()
    users.fail = Unavailable("would be told")
    impressions.send(users, [], 1.0)
    assert impressions.wait(1.0)
    assert impressions.lost == 0
