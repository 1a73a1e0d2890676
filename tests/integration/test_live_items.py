"""What is registered with the item service is recommended within seconds, without a new release."""

from __future__ import annotations

import threading
import time
from contextlib import closing
from pathlib import Path

import pytest

from engine.features import DAY_MS, Event, UserContext
from engine.types import Item, RecommendedItem, RecommendQuery
from services.common.rpc import Target
from services.item.client import ItemClient
from services.recall.client import RecallClient
from services.recommend.client import RecommendClient
from tests.integration.programs import accepts_connections, await_true
from tests.support.fresh import write_fresh_release
from tests.support.releases import leaf
from tests.support.served import served

pytestmark = pytest.mark.integration

T = 5.0
WITHIN_S = 6.0  # it takes two; the rest is for a machine that is busy
SHOPPER = "5"  # has bought of leaf5


def registered(item_id: str, *, available: bool = True) -> Item:
    """An item such as the shopper takes."""
    return Item(item_id, f"Title {item_id}", ("department2", "leaf5"), "brand5", "shop", 5.0, available)


def recalled(recall: RecallClient) -> dict[str, tuple[str, ...]]:
    """The channels of each candidate for a shopper like that."""
    now = int(time.time() * 1e3)
    events = [Event(f"i{row}", "purchase", now - DAY_MS) for row in (5, 17, 29)]
    candidates = recall.recall_items(UserContext("", {}, events, now), 200, T).candidates
    return {candidate.item_id: candidate.channels for candidate in candidates}


def recommended(recommend: RecommendClient) -> dict[str, RecommendedItem]:
    """The shopper's page, by item id."""
    page = recommend.recommend(RecommendQuery(SHOPPER, page_size=50), T)
    return {item.item_id: item for item in page.items}


def threads() -> list[str]:
    """Names of recall's threads that follow the store."""
    names = [thread.name for thread in threading.enumerate()]
    return [name for name in names if name in ("live-items", "availability")]


def test_what_is_registered_is_recommended_until_it_is_sold_out(tmp_path: Path) -> None:
    before = threads()
    with served(tmp_path, write_fresh_release) as addresses:
        opened = {name: Target(name, addresses[name]).open() for name in ("item", "recall", "recommend")}
        with closing(opened["item"]), closing(opened["recall"]), closing(opened["recommend"]):
            items, recall = ItemClient(opened["item"]), RecallClient(opened["recall"])
            recommend = RecommendClient(opened["recommend"])
            assert "late" not in recalled(recall)

            items.upsert_items([registered("late"), registered("sold-out", available=False)], T)
            seen: set[str] = set()

            def proposed(item_id: str) -> bool:
                seen.update(found := recalled(recall))
                return item_id in found

            await_true(lambda: proposed("late"), WITHIN_S, lambda: "recall does not propose what came in")
            assert recalled(recall)["late"] == ("new",)
            page = recommended(recommend)
            assert page["late"].reason.kind == "new"
            assert page["late"].item == registered("late")
            assert "sold-out" not in page
            beside = recommend.similar_items("late", T, page_size=5).items
            assert {leaf(int(one.item_id.removeprefix("i"))) for one in beside} == {"leaf5"}
            assert {(one.channels, one.reason.kind, one.reason.item_id) for one in beside} == {
                (("content",), "similar_to", "late")
            }

            items.set_availability(["late"], False, T)
            assert "late" not in recommended(recommend)  # its details say so at once
            await_true(lambda: not proposed("late"), WITHIN_S, lambda: "recall goes on proposing it")
            assert "sold-out" not in seen
            items.set_availability(["sold-out"], True, T)
            await_true(lambda: proposed("sold-out"), WITHIN_S, lambda: "recall does not propose it again")
        assert len(threads()) == len(before) + 2
        started = time.monotonic()
    assert threads() == before
    assert time.monotonic() - started < 10.0
    assert not any(accepts_connections(int(one.rpartition(":")[2])) for one in addresses.values())
