"""What every implementation of the item port does."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import redis

from engine.errors import InvalidArgument, NotFound
from engine.types import Item
from services.common import keys
from services.common.ports import ItemPort

pytestmark = pytest.mark.contract

T = 2.0  # seconds a call may take
TEA = Item(
    item_id="tea",
    title="Green tea, 100 g",
    category_path=("Grocery", "Tea"),
    brand="Ours",
    shop="7",
    price=3.5,
    available=True,
    listed_at_ms=1_500_000_000_000,
    attributes={"organic": "yes", "weight": 100.0, "labels": ("a", "b")},
    description="Leaves of the first harvest.\nFrom the hills.",
    url="https://shop.example/tea?size=100",
    image_url="https://img.shop.example:8443/tea.jpg",
    variant_of="tea-family",
)


def test_a_written_item_is_read_back(items: ItemPort) -> None:
    bare = Item("bare")
    assert items.upsert_items([TEA, bare], T) == 2
    assert items.get_item("tea", T) == TEA
    assert items.get_item("bare", T) == bare


def test_lists_of_items_leave_descriptions_out_and_the_catalogue_has_them(items: ItemPort) -> None:
    items.upsert_items([TEA], T)
    assert items.batch_get_items(["tea"], T) == ([replace(TEA, description="")], [])
    assert items.list_items(10, "", T) == ([TEA], "")


def test_an_unknown_item_is_not_found(items: ItemPort) -> None:
    with pytest.raises(NotFound, match="nothing"):
        items.get_item("nothing", T)


def test_a_batch_keeps_the_order_and_names_the_missing(items: ItemPort) -> None:
    items.upsert_items([Item(name) for name in "abc"], T)
    found, missing = items.batch_get_items(["c", "x", "a", "y"], T)
    assert [item.item_id for item in found] == ["c", "a"]
    assert missing == ["x", "y"]


def test_availability_is_changed_and_missing_ids_are_named(items: ItemPort) -> None:
    items.upsert_items([TEA, Item("gone", available=False)], T)
    assert items.set_availability(["tea", "x"], False, T) == (1, ["x"])
    assert items.get_item("tea", T) == replace(TEA, available=False)
    assert items.set_availability(["tea", "gone"], True, T) == (2, [])
    assert items.get_item("tea", T).available
    assert items.get_item("gone", T).available


def test_what_is_not_available_is_in_the_set_that_recall_reads(items: ItemPort, redis_url: str) -> None:
    items.upsert_items([TEA, Item("gone", available=False)], T)
    items.set_availability(["tea"], False, T)
    assert redis.Redis.from_url(redis_url).smembers(keys.UNAVAILABLE) == {b"tea", b"gone"}


def test_items_are_listed_in_pages_without_gaps(items: ItemPort) -> None:
    names = [f"i{number:03}" for number in range(205)]
    items.upsert_items([Item(name) for name in names], T)
    seen, token = [], ""
    while True:
        page, token = items.list_items(100, token, T)
        seen += [item.item_id for item in page]
        if not token:
            break
    assert seen == names


def test_an_item_that_others_wrote_in_the_original_form_is_read(items: ItemPort, redis_url: str) -> None:
    client = redis.Redis.from_url(redis_url)
    row = {"sku_id": "1", "brand": "3456", "shopid": "6980", "cate": "70"}
    client.set("1##product_info", json.dumps(row))
    client.set("2##product_info", "not json")
    client.set("3##product_info", "[1]")
    found, missing = items.batch_get_items(["1", "2", "3"], T)
    assert found == [Item("1", category_path=("70",), brand="3456", shop="6980")]
    assert missing == ["2", "3"]


def test_an_item_is_written_in_the_original_form_too(items: ItemPort, redis_url: str) -> None:
    items.upsert_items([TEA], T)
    raw = redis.Redis.from_url(redis_url).get("tea##product_info")
    assert isinstance(raw, bytes)
    row = json.loads(raw)
    assert {name: row[name] for name in ("sku_id", "brand", "shopid", "cate")} == {
        "sku_id": "tea", "brand": "Ours", "shopid": "7", "cate": "Tea",
    }  # fmt: skip


@pytest.mark.parametrize("bad", ["", "x" * 257, "a\x00b", "x" * 10_000])
def test_bad_ids_are_refused_by_every_call(items: ItemPort, bad: str) -> None:
    calls = [
        lambda: items.get_item(bad, T),
        lambda: items.batch_get_items(["ok", bad], T),
        lambda: items.upsert_items([Item(bad)], T),
        lambda: items.set_availability([bad], True, T),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument, match="item_id"):
            call()


def test_a_page_has_the_default_size_for_0_and_never_more_than_the_most(items: ItemPort) -> None:
    items.upsert_items([Item(f"i{number:03}") for number in range(110)], T)
    assert [len(items.list_items(size, "", T)[0]) for size in (0, 100, 101, 1_000_000)] == [20, 100, 100, 100]
    with pytest.raises(InvalidArgument, match="page_size: must not be negative, not -1") as refused:
        items.list_items(-1, "", T)
    assert refused.value.field == "page_size"


def test_a_token_of_another_list_is_refused(items: ItemPort) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        items.list_items(10, "dXNlcnM6YQ", T)


def test_batches_that_are_empty_or_too_long_are_refused(items: ItemPort) -> None:
    for count in (0, 1001):
        with pytest.raises(InvalidArgument, match="item_ids: has"):
            items.batch_get_items(["a"] * count, T)
        with pytest.raises(InvalidArgument, match="items: has"):
            items.upsert_items([Item("a")] * count, T)
        with pytest.raises(InvalidArgument, match="item_ids: has"):
            items.set_availability(["a"] * count, True, T)


@pytest.mark.parametrize(
    ("bad", "field"),
    [
        (replace(TEA, price=-1.0), "price"),
        (replace(TEA, price=float("nan")), "price"),
        (replace(TEA, title="x" * 1025), "title"),
        (replace(TEA, category_path=("a",) * 9), "category_path"),
        (replace(TEA, listed_at_ms=-5), "listed_at_ms"),
        (replace(TEA, attributes={"sku_id": "2"}), "attributes.sku_id"),
        (replace(TEA, attributes={"image_url": "x"}), "attributes.image_url"),
        (replace(TEA, description="x" * 10_001), "description"),
        (replace(TEA, url="javascript:alert(1)"), "url"),
        (replace(TEA, url="/a/path"), "url"),
        (replace(TEA, url="https://user@elsewhere.example/"), "url"),
        (replace(TEA, url="https://shop.example/a b"), "url"),
        (replace(TEA, image_url="ftp://img.example/a.png"), "image_url"),
        (replace(TEA, image_url="//img.example/a.png"), "image_url"),
        (replace(TEA, image_url="data:image/png;base64,AAAA"), "image_url"),
        (replace(TEA, image_url="https://img.example/" + "a" * 2048), "image_url"),
        (replace(TEA, variant_of="x" * 257), "variant_of"),
        (replace(TEA, variant_of="tea"), "variant_of"),
        (replace(TEA, attributes={f"a{number}": "1" for number in range(65)}), "attributes"),
    ],
)
def test_of_a_batch_with_one_bad_item_none_is_written(items: ItemPort, bad: Item, field: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"items\[1\]\.{field}"):
        items.upsert_items([Item("good"), bad], T)
    assert items.batch_get_items(["good"], T) == ([], ["good"])
