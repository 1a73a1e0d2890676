"""Items without events are recalled by content and history, filtered like all others, and named `new`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from threading import Event as Signal
from threading import Thread
from typing import Any

import numpy as np
import pytest

from engine.errors import Unavailable
from engine.features import DAY_MS, Event, UserContext
from engine.recall.filters import LiveSet
from engine.recall.fresh import FreshItems
from engine.recall.new_items_store import read_new_items
from engine.release import Release, ReleaseError
from engine.types import ItemFilter
from services.recall.live_items import LiveItems
from services.recall.service import RecallService
from tests.support.fresh import FRESH, fresh_record, write_fresh_release
from tests.support.releases import write_release
from tests.support.request_path import LiveNow, real_recall
from tests.support.stand_ins import NOW

pytestmark = pytest.mark.unit

NOBODY = LiveSet(0, None)
T = 2.0


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Release:
    return Release.load(write_fresh_release(tmp_path_factory.mktemp("artifacts")))


@pytest.fixture
def fresh(release: Release) -> FreshItems:
    stored = read_new_items(release)
    assert stored is not None
    return FreshItems(stored, release.schema, release.data_end)


@pytest.fixture(scope="module")
def recall(release: Release) -> RecallService:
    return real_recall(release.path)


def shopper(*items: str) -> UserContext:
    events = [Event(item, "purchase", NOW - (place + 1) * DAY_MS) for place, item in enumerate(items)]
    return UserContext("u", {}, events, NOW)


def test_who_takes_of_a_category_is_shown_its_new_items_first(fresh: FreshItems) -> None:
    ids, scores = fresh.best(shopper("i2", "i14"), ItemFilter(), NOBODY, 3)
    assert ids[0] == "n2"
    assert scores.tolist() == sorted(scores.tolist(), reverse=True)
    assert fresh.best(shopper("i4", "i16"), ItemFilter(), NOBODY, 1)[0] == ["n4"]


def test_a_shopper_without_history_gets_what_does_well_with_everybody(fresh: FreshItems) -> None:
    assert fresh.best(shopper(), ItemFilter(), NOBODY, 1)[0] == ["n3"]


def test_filters_availability_and_dislikes_count_for_new_items_too(fresh: FreshItems) -> None:
    def shown(context: UserContext, wanted: ItemFilter, live: LiveSet = NOBODY) -> set[str]:
        return set(fresh.best(context, wanted, live, 10)[0])

    assert shown(shopper(), ItemFilter()) == {f"n{n}" for n in range(6)}
    assert "n6" in shown(shopper(), ItemFilter(include_unavailable=True))
    assert "n6" in shown(shopper(), ItemFilter(), LiveSet(1, frozenset({"n1"})))
    assert "n1" not in shown(shopper(), ItemFilter(), LiveSet(1, frozenset({"n1"})))
    assert shown(shopper(), ItemFilter(categories=frozenset({"leaf4"}))) == {"n4"}
    assert "n2" not in shown(shopper(), ItemFilter(exclude_item_ids=frozenset({"n2"})))
    disliked = UserContext("u", {}, [Event("n5", "dislike", NOW - 1)], NOW)
    assert "n5" not in shown(disliked, ItemFilter())


def test_what_is_registered_later_is_proposed_once_without_a_new_release(fresh: FreshItems) -> None:
    late = fresh_record(99, 2, brand="never seen")
    assert fresh.add([late, FRESH[0]]) == 1
    assert len(fresh) == len(FRESH) + 1
    assert fresh.best(shopper("i2", "i14"), ItemFilter(), NOBODY, 2)[0] == ["n2", "n99"]


ASKED = [
    ItemFilter(),
    ItemFilter(include_unavailable=True),
    ItemFilter(categories=frozenset({"leaf4", "department1"})),
    ItemFilter(brands=frozenset({"brand2"}), price_max=20.0),
    ItemFilter(price_min=10.0),
    ItemFilter(exclude_item_ids=frozenset({"n2", "n30"})),
]


def many(count: int) -> list[dict[str, Any]]:
    """Items of all kinds, some of them twice."""
    kinds: list[dict[str, Any]] = [
        {},
        {"brand": "never seen"},
        {"price": 30.0},
        {"price": None},
        {"available": False},
    ]
    records = [fresh_record(10 + n, n % 6, **kinds[n % 5]) for n in range(count)]
    return [*records[: count // 2], records[3], *records[count // 2 :]]


@pytest.mark.parametrize("size", [1, 3, 40])
@pytest.mark.parametrize("wanted", ASKED)
def test_items_that_come_in_little_by_little_are_as_those_that_come_at_once(
    release: Release, fresh: FreshItems, size: int, wanted: ItemFilter
) -> None:
    stored = read_new_items(release)
    assert stored is not None
    slowly = FreshItems(stored, release.schema, release.data_end)
    came = many(100)
    assert fresh.add(came) == 100
    assert sum(slowly.add(came[at : at + size]) for at in range(0, len(came), size)) == 100
    assert len(slowly) == len(fresh)
    sold_out = [NOBODY, LiveSet(1, frozenset({"n1", "n50"})), LiveSet(2, frozenset(map(str, range(200))))]
    for live in sold_out:
        for context in (shopper(), shopper("i2", "i14"), shopper("i4")):
            ids, scores = fresh.best(context, wanted, live, 50)
            again, the_same = slowly.best(context, wanted, live, 50)
            assert again == ids
            np.testing.assert_array_equal(the_same, scores)


def test_whoever_asks_while_items_come_in_sees_those_of_one_moment(fresh: FreshItems) -> None:
    came = many(300)

    def add() -> None:
        for record in came:
            fresh.add([record])

    order = list(dict.fromkeys(record["sku_id"] for record in [*FRESH, *came]))
    hidden = {order[0], order[-1]}
    wanted = ItemFilter(include_unavailable=True, exclude_item_ids=frozenset(hidden))
    thread = Thread(target=add)
    thread.start()
    while thread.is_alive():
        ids, scores = fresh.best(shopper("i2"), wanted, NOBODY, 1000)
        assert len(ids) == len(scores) >= len(FRESH) - 1
        assert set(ids) == set(order[1 : len(ids) + 1]) - hidden
    assert set(fresh.best(shopper("i2"), wanted, NOBODY, 1000)[0]) == {*order} - hidden


def test_no_more_than_so_many_come_in(fresh: FreshItems, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.recall.fresh.MOST", len(FRESH) + 2)
    assert fresh.add(many(5)) == 2
    assert fresh.add(many(5)) == 0
    assert len(fresh) == len(FRESH) + 2


def test_recall_names_new_items_by_their_channel_and_within_its_quota(recall: RecallService) -> None:
    result = recall.recall_items(shopper("i2", "i14"), 200, T)
    found = {c.item_id: c for c in result.candidates if c.item_id.startswith("n")}
    assert "n2" in found
    assert found["n2"].channels == ("new",)
    assert len(found) <= 6
    places = [place for place, c in enumerate(result.candidates) if c.item_id.startswith("n")]
    assert min(places) > 10  # a quota of 2 % does not lead the list


def test_the_rail_of_new_items_mixes_them_with_what_sells_since_lately(recall: RecallService) -> None:
    result = recall.recall_items(shopper(), 6, T, channels=("new",))
    ids = [candidate.item_id for candidate in result.candidates]
    assert ids[0] == "n3"
    assert 2 <= sum(item.startswith("n") for item in ids) <= 4


def test_what_was_made_unavailable_live_is_gone_from_recall(release: Release) -> None:
    live = LiveNow()
    service = real_recall(release.path, live=live)
    live.current = LiveSet(1, frozenset({"n2"}))
    result = service.recall_items(shopper("i2", "i14"), 200, T)
    assert "n2" not in [candidate.item_id for candidate in result.candidates]


def test_a_release_without_new_items_serves_as_before(tmp_path: Path) -> None:
    folder = write_release(tmp_path)
    assert read_new_items(Release.load(folder)) is None
    assert real_recall(folder).recall_items(shopper("i2"), 50, T).candidates


def test_files_that_do_not_fit_are_one_clear_error(release: Release, tmp_path: Path) -> None:
    np.save(tmp_path / "new_vectors.npy", np.zeros((1, 8), np.float32))
    for path in release.path.glob("new_*"):
        if path.name != "new_vectors.npy":
            (tmp_path / path.name).write_bytes(path.read_bytes())
    with pytest.raises(ReleaseError, match="do not fit together: train again"):
        read_new_items(Release(tmp_path, release.manifest, release.schema))


def test_live_items_come_in_once_and_again_after_a_change_of_release(release: Release) -> None:
    stored = read_new_items(release)
    assert stored is not None
    current = [FreshItems(stored, release.schema, release.data_end)]
    registered = {"n99": fresh_record(99, 2), "i5": fresh_record(5, 5), "gone": None}
    asked: list[list[str]] = []

    def written(cursor: str) -> tuple[str, list[str]]:
        return "later", [] if cursor else list(registered)

    def read(item_ids: Sequence[str]) -> list[dict[str, Any] | None]:
        asked.append(list(item_ids))
        return [registered[item] for item in item_ids]

    live = LiveItems(written, read, lambda: current[0], lambda: None)
    assert live.refresh() == 1
    assert asked == [["gone", "n99"]]  # i5 was in the release's data: no new item
    assert live.refresh() == 0
    assert len(asked) == 1
    current[0] = FreshItems(stored, release.schema, release.data_end)
    assert live.refresh() == 1
    assert current[0].best(shopper("i2", "i14"), ItemFilter(), NOBODY, 2)[0] == ["n2", "n99"]


def test_live_items_wait_for_a_release(release: Release) -> None:
    live = LiveItems(lambda _: ("", ["n99"]), lambda ids: [None for _ in ids], lambda: None, lambda: None)
    assert live.refresh() == 0


def test_live_items_come_in_after_an_outage_of_the_store(fresh: FreshItems) -> None:
    failures = {"ids": 2, "records": 1}
    cursors: list[str] = []
    done = Signal()

    def fail(part: str) -> None:
        if failures[part]:
            failures[part] -= 1
            raise Unavailable("the store is away")

    def written(cursor: str) -> tuple[str, list[str]]:
        cursors.append(cursor)
        fail("ids")
        if cursor:
            done.set()
        return "later", [] if cursor else ["n99"]

    def records(item_ids: Sequence[str]) -> list[dict[str, Any] | None]:
        fail("records")
        return [fresh_record(99, 2) for _ in item_ids]

    live = LiveItems(written, records, lambda: fresh, lambda: None, refresh_s=0.001).open()
    assert done.wait(5)
    live.close()
    assert fresh.knows("n99")
    assert cursors[:5] == ["", "", "", "", "later"]  # what was asked for in vain is asked for again


def test_what_cannot_be_bought_is_read_after_an_item_and_before_it_is_proposed(fresh: FreshItems) -> None:
    steps: list[str] = []

    def read(item_ids: Sequence[str]) -> list[dict[str, Any] | None]:
        steps.append("items")
        return [fresh_record(99, 2)]

    def read_availability() -> None:
        steps.append("proposed" if fresh.knows("n99") else "not yet proposed")

    assert LiveItems(lambda _: ("", ["n99"]), read, lambda: fresh, read_availability).refresh() == 1
    assert steps == ["items", "not yet proposed"]
    assert fresh.knows("n99")


def test_an_id_is_known_in_each_way_it_is_written(fresh: FreshItems) -> None:
    fresh.add([fresh_record(0, 2, sku_id="17.0")])
    assert fresh.knows("17")
    assert fresh.knows("17.0")
