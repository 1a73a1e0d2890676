"""Searching and browsing: what every implementation of the item port does."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import InvalidArgument, Unavailable
from engine.types import Category, Item, SearchQuery, SearchResult
from services import bootstrap
from services.common.ports import ItemPort
from services.common.rpc import Server
from tests.contract.conftest import settings_for
from tests.support.catalogue import DAIRY, FRUIT, GROCERIES
from tests.support.redis_server import free_port

pytestmark = pytest.mark.contract

T = 2.0
VISIBLE_S = 2.0  # how soon a written item is found


def wait_for_total(items: ItemPort, query: SearchQuery, total: int) -> SearchResult:
    """The answer once it has so many items; fails after VISIBLE_S and the time of a first build."""
    end = time.monotonic() + VISIBLE_S + 1.0
    while True:
        try:
            found = items.search_items(query, T)
        except Unavailable:
            found = None
        if found is not None and found.total_count == total:
            return found
        assert time.monotonic() < end, found
        time.sleep(0.05)


@pytest.fixture
def shop(items: ItemPort) -> ItemPort:
    items.upsert_items(GROCERIES, T)
    wait_for_total(items, SearchQuery(), 9)
    return items


def ids(found: SearchResult) -> list[str]:
    return [item.item_id for item in found.items]


def search(shop: ItemPort, text: str = "", **query: object) -> list[str]:
    return ids(shop.search_items(SearchQuery(text, **query), T))  # type: ignore[arg-type]


def test_items_are_found_by_words_of_title_category_and_brand(shop: ItemPort) -> None:
    assert set(search(shop, "milk")) == {"5", "6"}
    assert set(search(shop, "fruit sunny")) == {"1", "4"}
    assert search(shop, "MAISON creme") == ["7"]
    assert search(shop, "绿茶") == ["8"]
    assert search(shop, "milk bread") == []


def test_what_is_named_so_comes_first(shop: ItemPort) -> None:
    assert search(shop, "bananas")[0] == "1"
    assert set(search(shop, "banana")) == {"1", "2", "3"}


def test_the_last_word_may_be_the_beginning_of_one_and_others_abbreviated(shop: ItemPort) -> None:
    assert set(search(shop, "straw")) == {"4"}
    assert search(shop, "choc milk") == ["5"]


def test_typing_errors_are_mended_and_it_is_said(shop: ItemPort) -> None:
    found = shop.search_items(SearchQuery("Bannana"), T)
    assert set(ids(found)) == {"1", "2", "3"}
    assert found.corrected_text == "banana"
    assert shop.search_items(SearchQuery("Bananas"), T).corrected_text == ""
    nothing = shop.search_items(SearchQuery("xylophone"), T)
    assert (nothing.items, nothing.total_count, nothing.corrected_text) == ((), 0, "")


def test_the_syntax_of_the_index_has_no_meaning_in_a_query(shop: ItemPort) -> None:
    for text in (
        '"',
        "milk*",
        'title:milk"',
        "milk OR 1=1",
        "NEAR(milk)",
        "'; DROP TABLE item; --",
        "^(",
        "-",
    ):
        shop.search_items(SearchQuery(text), T)
    assert set(search(shop, "milk*")) == {"5", "6"}
    assert search(shop, "!?*") == []
    assert set(search(shop, "milk")) == {"5", "6"}


def test_categories_brands_and_prices_restrict(shop: ItemPort) -> None:
    assert set(search(shop, category_path=("Produce",))) == {"1", "2", "4"}
    assert set(search(shop, category_path=DAIRY)) == {"5", "6"}
    assert search(shop, category_path=("Milk",)) == []
    assert set(search(shop, brands=("Green", "Maison", "No such"))) == {"2", "7"}
    assert set(search(shop, price_min=2.49, price_max=2.99)) == {"4", "6"}


def test_words_of_descriptions_are_found_after_those_of_titles_and_categories(shop: ItemPort) -> None:
    about = "A soft loaf, good with bananas."
    shop.upsert_items([Item("11", "Brioche", ("Bakery", "Bread"), price=4.0, description=about)], T)
    wait_for_total(shop, SearchQuery("brioche"), 1)
    assert search(shop, "loaf") == ["11"]
    assert shop.search_items(SearchQuery("loaf"), T).corrected_text == ""
    found = search(shop, "bananas")
    assert found[-1] == "11"
    assert set(found) == {"1", "2", "3", "11"}


def test_variants_of_an_item_are_found(shop: ItemPort) -> None:
    sizes = [Item(f"1-{size}", f"Bananas {size}", FRUIT, variant_of="1") for size in ("small", "large")]
    shop.upsert_items([*sizes, Item("other", "Pear", variant_of="pears")], T)
    wait_for_total(shop, SearchQuery(variant_of="1"), 2)
    assert set(search(shop, variant_of="1")) == {"1-small", "1-large"}
    assert search(shop, "large", variant_of="1") == ["1-large"]
    assert search(shop, variant_of="nothing") == []


def test_what_cannot_be_bought_is_shown_only_if_asked_for(shop: ItemPort) -> None:
    assert "10" not in search(shop, "bananas")
    assert "10" in search(shop, "bananas", include_unavailable=True)


def test_facets_count_all_that_fits_on_every_page(shop: ItemPort) -> None:
    found = shop.search_items(SearchQuery(page_size=1), T)
    assert found.total_count == 9
    assert found.brands[:2] == (("Sunny", 3), ("Cow & Co", 2))
    assert found.categories[:2] == (("Dairy", 3), ("Produce", 3))
    below = shop.search_items(SearchQuery(category_path=("Dairy",)), T)
    assert below.categories == (("Milk", 2), ("Desserts", 1))
    assert shop.search_items(SearchQuery(category_path=FRUIT), T).categories == ()


@pytest.mark.parametrize(
    ("order", "first", "last"),
    [
        ("price_ascending", ["1", "5", "2"], "7"),
        ("price_descending", ["9", "8", "3"], "7"),
        ("newest", ["2", "9", "8"], "7"),
    ],
)
def test_orders_and_pages_without_gaps_or_repeats(
    shop: ItemPort, order: str, first: list[str], last: str
) -> None:
    whole = search(shop, order=order, page_size=100)
    assert whole[:3] == first
    assert whole[-1] == last
    for size in (1, 2, 4):
        seen, query = [], SearchQuery(order=order, page_size=size)
        while True:
            page = shop.search_items(query, T)
            assert page.total_count == 9
            seen += ids(page)
            if not page.next_page_token:
                break
            query = replace(query, page_token=page.next_page_token)
        assert seen == whole


def test_pages_of_a_search_go_on_where_the_last_ended_though_items_are_added(shop: ItemPort) -> None:
    query = SearchQuery("banana", page_size=1, order="price_ascending")
    page = shop.search_items(query, T)
    shop.upsert_items([Item("0", "Banana chips", price=0.5)], T)
    wait_for_total(shop, SearchQuery("banana"), 4)
    assert search(shop, "banana", order="price_ascending") == ["0", "1", "2", "3"]
    rest = shop.search_items(replace(query, page_size=10, page_token=page.next_page_token), T)
    assert ids(rest) == ["2", "3"]


def test_changes_are_found_within_two_seconds(shop: ItemPort) -> None:
    shop.upsert_items([replace(GROCERIES[0], title="Plantains", price=7.0)], T)
    shop.set_availability(["2"], False, T)
    wait_for_total(shop, SearchQuery("plantain"), 1)
    found = wait_for_total(shop, SearchQuery("banana"), 1)
    assert ids(found) == ["3"]
    assert search(shop, price_min=6) == ["1"]


def test_the_tree_of_categories_counts_what_can_be_bought(shop: ItemPort) -> None:
    top = shop.list_categories(1, T)
    assert top[:2] == (Category("Dairy", 3), Category("Produce", 3))
    assert {category.name for category in top} == {"Dairy", "Produce", "Bakery", "Grocery", "Clothing"}
    tree = {category.name: category for category in shop.list_categories(8, T)}
    assert tree["Dairy"].children == (Category("Milk", 2), Category("Desserts", 1))
    assert tree["Clothing"].children == ()


BAD_QUERIES = [
    (SearchQuery("x" * 10_240), "query: has 10240 characters, allowed are at most 200"),
    (SearchQuery(category_path=("a",) * 9), "category_path: has 9 levels"),
    (SearchQuery(category_path=("a" * 1_025,)), "category_path: is 1025 bytes"),
    (SearchQuery(brands=("a",) * 101), "brands: has 101 elements"),
    (SearchQuery(brands=("a" * 1_025,)), "brands: is 1025 bytes"),
    (SearchQuery(price_min=float("nan")), "price_min: must be a finite number"),
    (SearchQuery(price_max=float("inf")), "price_max: must be a finite number"),
    (SearchQuery(price_min=-1), "price_min: must be at least 0"),
    (SearchQuery(price_min=2, price_max=1), "price_min: 2 is above price_max 1"),
    (SearchQuery(variant_of="x" * 257), "variant_of: is 257 bytes"),
    (SearchQuery(order="best"), "order: 'best' is none of relevance"),
    (SearchQuery(page_size=-1), "page_size: must not be negative, not -1"),
    (SearchQuery(page_token="x"), "page_token: is not a token"),
    (SearchQuery(page_token="x" * 10_240), "page_token: is not a token"),
    (SearchQuery(page_token="aXRlbXM6YQ"), "page_token: is not a token"),  # of a list of items
]


def test_a_page_has_the_default_size_for_0_and_never_more_than_the_most(shop: ItemPort) -> None:
    shop.upsert_items([Item(f"more{number:03}", "Soap") for number in range(110)], T)
    wait_for_total(shop, SearchQuery("soap"), 110)
    for size, length in ((0, 20), (100, 100), (101, 100), (1_000_000, 100)):
        assert len(search(shop, "soap", page_size=size)) == length


def test_what_is_wrong_is_refused_by_name(shop: ItemPort) -> None:
    for query, problem in BAD_QUERIES:
        with pytest.raises(InvalidArgument, match=problem):
            shop.search_items(query, T)
    for depth in (0, -1, 9):
        with pytest.raises(InvalidArgument, match=f"depth: must be 1 to 8, not {depth}"):
            shop.list_categories(depth, T)


def test_a_token_of_another_search_is_refused(shop: ItemPort) -> None:
    token = shop.search_items(SearchQuery(page_size=1), T).next_page_token
    for other in (SearchQuery("milk"), SearchQuery(order="newest"), SearchQuery(brands=("Sunny",))):
        with pytest.raises(InvalidArgument, match="page_token"):
            shop.search_items(replace(other, page_token=token), T)


def test_until_the_index_is_built_search_is_unavailable_and_items_are_served(tmp_path: Path) -> None:
    settings = settings_for(f"redis://127.0.0.1:{free_port()}/0", artifacts_dir=tmp_path)
    server = Server(bootstrap.item_app(settings), "127.0.0.1", 0).start()
    client = bootstrap.item_client(settings.model_copy(update={"item_address": f"127.0.0.1:{server.port}"}))
    with pytest.raises(Unavailable, match="the search index is still being built: try again"):
        client.search_items(SearchQuery("tea"), T)
    server.stop(0.2)
