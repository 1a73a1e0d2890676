"""Similar items by what is written about them, of items with and without sales: recall and what fills it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from engine.candidates import RecallResult
from engine.errors import NotFound
from engine.recall.alike import MOST, AlikeItems
from engine.recall.exact import ExactIndex
from engine.recall.filters import LiveSet
from engine.release import Release
from engine.snapshot import Snapshot
from engine.types import ItemFilter
from services.recall.live_items import LiveItems
from services.recall.service import RecallService
from tests.support.releases import records, write_release
from tests.support.request_path import LiveNow, OneRelease, load_snapshot

pytestmark = pytest.mark.unit

T = 2.0


def written(item_id: str, title: str, **more: Any) -> dict[str, Any]:
    return {"sku_id": item_id, "title": title, "category_path": [], "available": True, **more}


TAIL = [written("t1", "Item 17", description="Rarely bought"), written("t2", "")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"), others=TAIL)


@pytest.fixture
def loaded(folder: Path) -> Snapshot:
    release = Release.load(folder)
    return load_snapshot(release, ExactIndex(release.vectors), 1_000)


@pytest.fixture
def recall(loaded: Snapshot) -> RecallService:
    return RecallService(OneRelease(loaded.name, loaded), LiveNow())  # type: ignore[arg-type]


def alike(loaded: Snapshot) -> AlikeItems:
    assert loaded.alike is not None
    return loaded.alike


def ids(result: RecallResult) -> list[str]:
    return [candidate.item_id for candidate in result.candidates]


def test_an_item_below_the_releases_threshold_has_similar_items(recall: RecallService) -> None:
    found = recall.similar_items("t1", 10, T)
    assert ids(found)[0] == "i17"
    assert {(one.channels, one.reason_item_id) for one in found.candidates} == {(("content",), "t1")}
    assert [(report.channel, report.found) for report in found.channels] == [
        ("content", len(found.candidates))
    ]


def test_an_item_of_which_nothing_is_written_is_not_found(recall: RecallService) -> None:
    for item in ("t2", "nobody knows"):
        with pytest.raises(NotFound):
            recall.similar_items(item, 10, T)


def test_what_was_bought_together_is_not_asked_of_what_nobody_bought(recall: RecallService) -> None:
    with pytest.raises(NotFound):
        recall.similar_items("t1", 10, T, channels=("item_to_item",))


def test_an_item_with_sales_has_all_three_kinds_each_by_its_name(recall: RecallService) -> None:
    found = recall.similar_items("i17", 60, T)
    assert {one.channels[0] for one in found.candidates} == {"item_to_item", "two_tower", "content"}
    assert "i17" not in ids(found)
    for one in found.candidates:
        if one.channels[0] == "content":
            assert one.reason_item_id == "i17"
    only = recall.similar_items("i17", 60, T, channels=("item_to_item",))
    assert {one.channels for one in only.candidates} == {("item_to_item",)}


def test_filters_and_availability_count(recall: RecallService, loaded: Snapshot) -> None:
    every = ids(recall.similar_items("t1", 24, T))
    first = every[0]
    hidden = recall.similar_items("t1", 24, T, item_filter=ItemFilter(exclude_item_ids=frozenset({first})))
    assert first not in ids(hidden)
    gone = RecallService(
        OneRelease(loaded.name, loaded),  # type: ignore[arg-type]
        LiveNow(LiveSet(1, frozenset({first}))),
    )
    assert first not in ids(gone.similar_items("t1", 24, T))
    dear = recall.similar_items("t1", 24, T, item_filter=ItemFilter(price_min=20.0))
    prices = {str(one["sku_id"]): one["price"] for one in records()}
    assert all(prices[item] >= 20 for item in ids(dear))


def test_an_item_registered_today_has_similar_items_at_once(recall: RecallService, loaded: Snapshot) -> None:
    with pytest.raises(NotFound):
        recall.similar_items("live", 10, T)
    live = LiveItems(
        lambda _: ("1", ["live"]),
        lambda _: [written("live", "Item 42, a new one")],
        lambda: loaded.registered,
        lambda: None,
    )
    assert live.refresh() == 1
    assert ids(recall.similar_items("live", 10, T))[0] == "i42"
    assert ids(recall.similar_items("live", 10, T, channels=("two_tower", "content")))[0] == "i42"


def test_a_new_title_of_a_registered_item_counts_and_one_of_the_data_stays(loaded: Snapshot) -> None:
    found = alike(loaded)
    assert found.add([written("live", "")]) == 1
    assert len(found.of("live")[0]) == 0
    assert found.add([written("live", "Item 42")]) == 1
    assert found.of("live")[0][0] == 42
    before = found.of("t1")[0].tolist()
    assert found.add([written("t1", "Item 3"), written("i5", "Item 3")]) == 0
    assert found.of("t1")[0].tolist() == before


def test_no_more_than_so_many_come_in(loaded: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    assert MOST >= 10_000
    monkeypatch.setattr("engine.recall.alike.MOST", 2)
    found = alike(loaded)
    assert found.add([written(f"n{n}", f"Item {n}") for n in range(5)]) == 2
    assert found.add([written("n1", "Item 9")]) == 1
    assert len(found.of("n4")[0]) == 0


def test_a_release_without_texts_serves_as_before(tmp_path: Path) -> None:
    release = Release.load(write_release(tmp_path))
    bare = load_snapshot(release, ExactIndex(release.vectors), 1_000)
    recall = RecallService(OneRelease(bare.name, bare), LiveNow())  # type: ignore[arg-type]
    assert bare.registered is None
    found = recall.similar_items("i17", 20, T)
    assert {one.channels[0] for one in found.candidates} == {"item_to_item", "two_tower"}
    assert not recall.similar_items("i17", 20, T, channels=("content",)).candidates
    with pytest.raises(NotFound):
        recall.similar_items("t1", 20, T)
