"""Pictures of products: which are shown, what the policy allows; and what else stands on a product's page."""

from __future__ import annotations

from dataclasses import replace

import pytest
from pydantic import ValidationError

from engine.types import Item
from services.settings import Settings
from tests.unit.webapp.conftest import NOWHERE, Browser
from tests.unit.webapp.fakes import FakeServices
from tests.unit.webapp.stores import memory_stores
from webapp import create_app
from webapp.photos import ImageOrigins

pytestmark = pytest.mark.unit

LISTED, OTHER = "https://img.shop.example/a.jpg?w=1&h=2", "https://elsewhere.example/b.jpg"


@pytest.fixture
def browser(settings: Settings, services: FakeServices) -> Browser:
    """A shop that lists one origin, with pictures of three kinds."""
    items = services.item.items
    for item_id, address in (("111", LISTED), ("112", OTHER), ("113", "/pictures/c.jpg")):
        items[item_id] = replace(items[item_id], image_url=address)
    listing = settings.model_copy(update={"image_origins": "https://IMG.shop.example:443"})
    return Browser(create_app(listing, services, "SimpleCache", memory_stores()).test_client())


def test_pictures_of_listed_origins_and_of_our_own_host_are_shown_and_others_are_not(
    browser: Browser,
) -> None:
    response = browser.get("/c/produce/tropical-fruit")
    page = response.get_data(as_text=True)
    assert 'src="https://img.shop.example/a.jpg?w=1&amp;h=2" alt="" loading="lazy"' in page
    assert 'src="/pictures/c.jpg"' in page
    assert "elsewhere.example" not in page
    assert page.count('class="photo"') == 2
    assert "img-src 'self' https://img.shop.example;" in response.headers["Content-Security-Policy"]
    console = browser.text("/console/")
    assert "not listed: https://elsewhere.example." in console


def test_on_its_page_a_picture_is_named_and_lies_over_the_drawing(browser: Browser) -> None:
    page = browser.text("/items/111")
    assert '<span class="photo" role="img" aria-label="Bananas"><svg class="picture' in page


def test_without_listed_origins_the_policy_allows_our_own_host_only(
    settings: Settings, services: FakeServices
) -> None:
    app = create_app(settings, services, "SimpleCache", memory_stores())
    policy = app.test_client().get("/").headers["Content-Security-Policy"]
    assert "img-src 'self';" in policy


@pytest.mark.parametrize(
    "address",
    ["", "//img.shop.example/a.jpg", "javascript:alert(1)", "https://user@img.shop.example/a.jpg",
     "https://img.shop.example.evil.example/a.jpg", "https://img.shop.example:444/a.jpg", "data:image/png,x",
     "http://img.shop.example/a.jpg"],
)  # fmt: skip
def test_no_other_address_passes_for_a_listed_one(address: str) -> None:
    assert not ImageOrigins(["https://img.shop.example"]).allow(address)


@pytest.mark.parametrize(
    "origin", ["img.shop.example", "https://a.example/path", "https://a.example;script-src", "*", "data:"]
)
def test_what_is_no_origin_is_refused_by_the_settings(origin: str) -> None:
    with pytest.raises(ValidationError, match="is no origin"):
        Settings(redis_url=NOWHERE, image_origins=origin)


def test_description_link_and_variants_stand_on_the_page(browser: Browser, services: FakeServices) -> None:
    items = services.item.items
    items["111"] = replace(
        items["111"], description="Ripe <b>now</b>.\n\nFrom far away.", url="https://shop.example/111?a=1&b=2"
    )
    items["111-s"] = Item("111-s", "Small bananas", price=0.5, variant_of="111")
    items["111-l"] = Item("111-l", "Large bananas", available=False, variant_of="111")
    page = browser.text("/items/111")
    assert "<p>Ripe &lt;b&gt;now&lt;/b&gt;.</p><p>From far away.</p>" in page
    assert 'href="https://shop.example/111?a=1&amp;b=2" rel="noopener nofollow"' in page
    family = page.split('class="variants"')[1].split("</section>")[0]
    assert "Small bananas" in family
    assert "$0.50" in family
    small = browser.text("/items/111-s").split('class="variants"')[1].split("</section>")[0]
    assert ("Large bananas" in small, "Not available" in small) == (True, True)
    assert (">Bananas<" in small, "Small bananas" in small) == (True, False)


def test_an_address_that_others_wrote_into_redis_is_no_link(browser: Browser, services: FakeServices) -> None:
    services.item.items["111"] = replace(services.item.items["111"], url="javascript:alert(1)")
    assert "javascript:" not in browser.text("/items/111")
