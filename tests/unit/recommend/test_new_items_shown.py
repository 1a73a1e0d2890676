"""What nobody has bought yet has a place on the page, with its own reason, although the ranker lacks it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.features import Event
from engine.rank import place_new
from engine.types import Item, RecommendQuery
from tests.support.fresh import FRESH, write_fresh_release
from tests.support.request_path import RequestPath, real_path
from tests.support.stand_ins import NOW

pytestmark = pytest.mark.unit

DAY = 86_400_000


@pytest.fixture
def path(tmp_path: Path) -> RequestPath:
    made = real_path(write_fresh_release(tmp_path))
    made.users.add("u2", [Event(f"i{row}", "purchase", NOW - row * DAY - 1) for row in range(2, 98, 12)])
    for record in FRESH:
        made.items.items[record["sku_id"]] = Item(record["sku_id"], record["title"])
    return made


def test_the_page_has_a_new_item_and_says_so(path: RequestPath) -> None:
    items = path.recommend.recommend(RecommendQuery("u2"), 5.0).items
    assert len(items) == 20
    new = [place for place, item in enumerate(items) if item.item_id.startswith("n")]
    # The rule of variety, which this shopper of one category calls on, may bring the next one forward.
    assert 1 <= len(new) <= 2
    assert new[0] > 0
    assert items[new[0]].item_id == "n2"  # of the category that the shopper takes
    assert items[new[0]].reason.kind == "new"


def test_the_rail_of_new_items_keeps_recalls_order(path: RequestPath) -> None:
    items = path.recommend.recommend(RecommendQuery(channels=("new",), page_size=6), 5.0).items
    assert sum(item.item_id.startswith("n") for item in items) >= 2
    assert {item.reason.kind for item in items} == {"new"}


def test_places_of_unknown_items_are_twenty_apart_from_the_tenth_on() -> None:
    unknown = np.arange(42) >= 40
    order = place_new(np.arange(42), unknown, 9, 20).tolist()
    assert [place for place, position in enumerate(order) if unknown[position]] == [9, 29]
    assert sorted(order) == list(range(42))


def test_a_short_list_has_them_at_its_end_and_one_without_them_is_untouched() -> None:
    order = np.array([2, 0, 1])
    assert place_new(order, np.array([True, False, False]), 9, 20).tolist() == [2, 1, 0]
    assert place_new(order, np.zeros(3, np.bool_), 9, 20).tolist() == [2, 0, 1]
