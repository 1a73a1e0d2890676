"""Categories, lists with facets, and search."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from werkzeug.datastructures import MultiDict

from engine.errors import Unavailable
from engine.types import Category
from tests.unit.webapp.conftest import Browser
from tests.unit.webapp.fake_stores import catalogue
from tests.unit.webapp.fakes import FakeServices
from webapp.categories import slug, tree
from webapp.storefront import browse
from webapp.storefront.listing import PAGE_SIZE, Listing, parse

pytestmark = pytest.mark.unit


def titles(page: str) -> list[str]:
    return re.findall(r'class="title">([^<]+)<', page)


def test_all_categories_are_on_one_page_with_their_sizes(browser: Browser) -> None:
    page = browser.text("/categories")
    assert 'href="/c/grocery/cold-cereal">Cold Cereal</a> <span class="number">5</span>' in page
    assert 'href="/c/drug-gm"' in page


def test_the_header_of_every_page_leads_to_categories_and_search(browser: Browser) -> None:
    page = browser.text("/signin")
    assert 'href="/c/produce"' in page
    assert 'role="search" action="/search"' in page


def test_a_category_shows_its_products_its_facets_and_the_way_to_it(browser: Browser) -> None:
    page = browser.text("/c/grocery")
    assert "1–20 of 20" in page or "20 products" in page
    assert 'aria-current="page">Grocery<' in page
    assert 'href="/c/grocery/fluid-milk"' in page
    assert titles(browser.text("/c/produce/tropical-fruit")) == [
        "Bananas",
        "Mangoes",
        "Pineapple",
        "Kiwi Fruit",
        "Papaya",
    ]


def test_an_unknown_category_is_a_404(browser: Browser) -> None:
    assert browser.get("/c/nowhere").status_code == 404
    assert browser.get("/c/grocery/nowhere").status_code == 404


def test_a_list_can_be_narrowed_and_widened_again(browser: Browser, services: FakeServices) -> None:
    page = browser.text("/c/grocery?brand=National&min=2&max=4,5&sort=price")
    asked = services.item.searched[-1]
    assert (asked.brands, asked.price_min, asked.price_max) == (("National",), 2.0, 4.5)
    assert asked.order == "price_ascending"
    assert 'href="/c/grocery?min=2&amp;max=4.5&amp;sort=price"' in page  # without the brand
    assert 'href="/c/grocery?sort=price">Show all again' in page
    assert 'value="4.5"' in page


def test_the_next_page_has_an_address_that_stays(browser: Browser) -> None:
    first = browser.text("/search?q=e")
    following = re.search(r'href="(/search\?[^"]*)">Next page', first)
    assert following
    address = following[1].replace("&amp;", "&")
    second = browser.text(address)
    assert "25–48 of" in second
    assert not set(titles(first)) & set(titles(second))
    assert titles(second) == titles(browser.text(address))


def test_a_category_sorted_for_the_shopper_asks_the_model(browser: Browser, services: FakeServices) -> None:
    browser.sign_in("1")
    page = browser.text("/c/grocery?sort=for-you")
    asked = services.recommend.asked[-1]
    assert (asked.placement, asked.filter.categories) == ("category", frozenset({"Grocery"}))
    assert "token=token-category-1" in page


def test_without_the_model_the_order_is_that_of_popularity_and_said(
    browser: Browser, services: FakeServices
) -> None:
    services.recommend.fail = Unavailable("away")
    page = browser.text("/c/grocery?sort=for-you")
    assert len(titles(page)) == 20
    assert "We cannot sort by your taste at the moment" in page


def test_a_search_finds_and_keeps_what_was_typed(browser: Browser) -> None:
    page = browser.text("/search?q=milk")
    assert "Whole Milk" in titles(page)
    assert 'type="search" value="milk"' in page


def test_a_typing_error_is_mended_and_said(browser: Browser) -> None:
    page = browser.text("/search?q=banannas")
    assert "Bananas" in titles(page)
    assert "Showing results for" in page


def test_a_search_without_results_offers_what_is_popular(browser: Browser) -> None:
    page = browser.text("/search?q=zzz")
    assert "Nothing was found." in page
    assert "Popular in the shop" in page
    assert len(titles(page)) == 10


def test_an_empty_search_leads_to_the_categories(browser: Browser) -> None:
    assert browser.get("/search?q=+").location == "/categories"


@pytest.mark.parametrize(
    ("address", "told"),
    [
        ("/search?q=" + "x" * 201, "at most 200 letters"),
        ("/search?q=a%00b", "at most 200 letters"),
        ("/search?q=milk&min=cheap", "“cheap” is not a price"),
        ("/search?q=milk&max=nan", "is not a price"),
        ("/search?q=milk&min=-1", "is not a price"),
        ("/search?q=milk&min=5&max=2", "exchange them"),
        ("/search?q=milk&sort=colour", "cannot be sorted by “colour”"),
        ("/search?q=milk&sort=for-you", "Choose one of: relevance"),
        ("/search?q=milk&at=stale", "Begin at its first page"),
        ("/search?q=milk&at=" + "9" * 600, "Begin at its first page"),
        ("/search?q=milk&at=24&page=x", "Begin at its first page"),
        ("/c/grocery?" + "&".join(f"brand={n}" for n in range(30)), "at most 20 brands"),
    ],
)
def test_a_bad_address_says_what_to_do(address: str, told: str, browser: Browser) -> None:
    response = browser.get(address)
    assert response.status_code == 400
    assert told in response.get_data(as_text=True)


def test_nothing_of_a_text_is_taken_for_html(browser: Browser) -> None:
    page = browser.text("/search?q=<script>alert(1)</script>&sort=newest")
    assert "<script" not in page
    assert "&lt;script&gt;" in page


def test_a_search_is_shared_between_shoppers(
    browser: Browser, other_browser: Browser, services: FakeServices
) -> None:
    browser.get("/search?q=milk")
    other_browser.get("/search?q=milk")
    assert len(services.item.searched) == 1


def test_without_the_item_service_lists_seen_before_stand_in_and_others_show_what_is_popular(
    browser: Browser, services: FakeServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browse, "SEARCH_FRESH_S", 0.0)
    before = browser.cards("/search?q=milk")
    services.item.fail = Unavailable("away")
    response = browser.get("/search?q=milk")
    assert response.status_code == 200
    assert browser.cards("/search?q=milk") == before
    assert response.headers["X-ECRS-Stale"] == "search"
    assert "may be a little out of date" in response.get_data(as_text=True)
    other = browser.get("/search?q=bread")
    assert other.status_code == 200
    assert "here is what is popular" in other.get_data(as_text=True)
    assert 'name="item_id"' in other.get_data(as_text=True)


def test_without_any_service_lists_ask_to_try_again(browser: Browser, services: FakeServices) -> None:
    services.item.fail = services.recommend.fail = Unavailable("away")
    for address in ("/search?q=milk", "/c/grocery"):
        response = browser.get(address)
        assert response.status_code == 503
        assert response.headers["Retry-After"] == "5"
        assert "Try again" in response.get_data(as_text=True)
    assert "cannot be read at the moment" in browser.text("/categories")


@pytest.fixture
def uncategorised(services: FakeServices) -> FakeServices:
    """The shop, its items without categories."""
    items = services.item.items
    items.update({item_id: replace(item, category_path=()) for item_id, item in items.items()})
    return services


@pytest.mark.usefixtures("uncategorised")
def test_a_shop_without_categories_shows_all_its_products_there(browser: Browser) -> None:
    page = browser.text("/categories")
    assert "<h1>All products</h1>" in page
    assert len(titles(page)) == min(PAGE_SIZE, len(catalogue()))
    assert "cannot be read" not in page
    assert "All categories" not in page
    cheap = browser.text("/categories?max=3&sort=price-down")
    assert 0 < len(titles(cheap)) < len(titles(page))
    following = re.search(r'href="(/categories\?[^"]*page=2[^"]*)"', page)
    assert following
    assert browser.get(following[1].replace("&amp;", "&")).status_code == 200


@pytest.mark.usefixtures("uncategorised")
@pytest.mark.parametrize("address", ["/", "/search?q=milk", f"/items/{next(iter(catalogue()))}", "/signin"])
def test_other_pages_of_a_shop_without_categories_are_whole(browser: Browser, address: str) -> None:
    answer = browser.get(address)
    assert answer.status_code == 200
    assert 'href="/c/' not in answer.get_data(as_text=True)


@pytest.mark.usefixtures("uncategorised")
def test_no_category_is_found_where_there_are_none(browser: Browser) -> None:
    assert browser.get("/c/grocery").status_code == 404


def test_slugs_keep_any_script_and_differ() -> None:
    assert [slug("Drugstore & General"), slug("手机 / 配件"), slug("??")] == [
        "drugstore-general",
        "手机-配件",
        "other",
    ]
    root = tree((Category("A & B", 1), Category("A / B", 2)))
    assert {place.name: place.url for place in root.children} == {"A & B": "/c/a-b", "A / B": "/c/a-b-2"}


def test_an_address_is_read_back_as_it_was_written() -> None:
    listing = Listing("oat milk", (), ("A&B", "C"), 1.5, None, "newest", 3, "tok=en")
    address = listing.address("/search", at=listing.at, page=listing.page)
    told = [part.split("=", 1) for part in address.partition("?")[2].split("&")]
    assert ["page", "3"] in told
    assert listing.address("/search", sort="price").endswith("sort=price")
    assert parse(MultiDict({"q": " oat  milk ", "min": "1.5"})).text == "oat milk"
