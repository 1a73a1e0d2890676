"""The product page."""

from __future__ import annotations

import pytest

from services.common.errors import Unavailable
from services.common.ports import Item
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fakes import FakeServices

pytestmark = pytest.mark.unit


def test_details_and_similar_products_are_shown(browser: Browser) -> None:
    page = browser.text("/items/111")
    assert "<h1>Bananas</h1>" in page
    assert "Package size" in page
    assert "Often taken together with Bananas" in page
    assert "Mangoes" in page


def test_the_token_of_the_list_goes_on_with_the_page(browser: Browser) -> None:
    assert 'name="token" value="list-1"' in browser.text("/items/111?token=list-1")


def test_opening_a_page_by_its_address_records_nothing(browser: Browser, services: FakeServices) -> None:
    browser.get("/items/111?token=list-1")
    assert services.user.events == []


@pytest.mark.parametrize("item_id", ["999", "x" * 10_000, "%00", "../etc/passwd", "a/b"])
def test_an_unknown_product_is_a_friendly_404(item_id: str, browser: Browser) -> None:
    response = browser.get(f"/items/{item_id}")
    assert response.status_code == 404
    assert "does not exist" in response.get_data(as_text=True)


def test_an_id_with_a_slash_has_a_page(browser: Browser, services: FakeServices) -> None:
    services.item.items["a/b"] = Item("a/b", title="Odd one")
    assert "Odd one" in browser.text("/items/a/b")


def test_the_page_stays_when_similar_products_cannot_be_read(
    browser: Browser, services: FakeServices
) -> None:
    services.recommend.fail = Unavailable("recommend")
    response = browser.get("/items/111")
    assert response.status_code == 200
    assert "Similar products are not available" in response.get_data(as_text=True)


def test_without_the_item_service_the_page_asks_to_try_again(
    browser: Browser, services: FakeServices
) -> None:
    services.item.fail = Unavailable("item: 10.0.0.3:8920 refused")
    response = browser.get("/items/111")
    assert response.status_code == 503
    assert response.headers["Retry-After"] == "5"
    assert "10.0.0.3" not in response.get_data(as_text=True)
