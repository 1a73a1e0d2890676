"""What the shopper gets when a part fails, row by row of the failure policy, over stand-ins for the parts."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from engine.candidates import Candidate, Candidates, RecallResult
from engine.errors import DeadlineExceeded, EcrsError, InvalidArgument, ReleaseNotLoaded, Unavailable
from engine.features import Event
from engine.types import Item, ItemFilter, RecommendQuery
from engine.vocabulary import Degradation
from services.common.rpc import CallStats, InProcess
from tests.support import request_path
from tests.support.request_path import RequestPath, fake_path
from tests.support.stand_ins import NOW, FakeRank, FakeRecall

pytestmark = pytest.mark.unit

T = 1.0
CANDIDATES = [Candidate(f"i{row}", 1 / (1 + row), ("popular",)) for row in range(100)]
QUERY = RecommendQuery(user_id="u1", page_size=5)


@pytest.fixture(params=["directly", "in process"], autouse=True)
def transport(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each row holds however the services are called; in process as the topology `together` does."""
    callers: list[InProcess] = []

    def through(name: str, port: Any) -> Any:
        callers.append(InProcess(name, 4, CallStats()))
        return callers[-1].port(port)

    if request.param == "in process":
        monkeypatch.setattr(request_path, "through", through)
    yield
    for caller in callers:
        caller.close()


@pytest.fixture
def recall() -> FakeRecall:
    return FakeRecall(CANDIDATES)


@pytest.fixture
def path(recall: FakeRecall) -> RequestPath:
    made, _ = fake_path(recall)
    made.users.add("u1", age="2")
    made.fallback.refresh()
    return made


def shown(path: RequestPath, query: RecommendQuery = QUERY) -> list[str]:
    return [item.item_id for item in path.recommend.recommend(query, T).items]


def test_all_well_the_order_is_the_rankers_and_nothing_is_flagged(path: RequestPath) -> None:
    result = path.recommend.recommend(QUERY, T)
    assert [item.item_id for item in result.items] == ["i99", "i98", "i97", "i96", "i95"]
    assert [item.score for item in result.items] == pytest.approx([0.099, 0.098, 0.097, 0.096, 0.095])
    assert result.items[0].item == path.items.items["i99"]
    assert (result.degraded, result.user_known, result.release) == (frozenset(), True, "r1")
    assert set(result.timings_ms) == {"user", "recall", "rank", "item", "total"}


def test_one_request_asks_user_recall_and_rank_once_and_item_for_what_is_shown(recall: FakeRecall) -> None:
    path, rank = fake_path(recall)
    path.recommend.recommend(QUERY, T)
    assert len(path.users.calls) == len(recall.calls) == len(rank.calls) == 1
    assert path.items.calls == [["i99", "i98", "i97", "i96", "i95"]]


def test_rank_is_asked_for_the_release_that_recall_answered_with(recall: FakeRecall) -> None:
    path, rank = fake_path(recall)
    path.recommend.recommend(QUERY, T)
    assert rank.calls == ["r1"]


@pytest.mark.parametrize(
    "error",
    [
        Unavailable("x"),
        DeadlineExceeded("x"),
        ReleaseNotLoaded("x"),
        InvalidArgument("x", "y"),
        EcrsError("x"),
        RuntimeError("a bug in rank"),
    ],
)
def test_rank_down_the_order_is_recalls(recall: FakeRecall, error: Exception) -> None:
    path, rank = fake_path(recall)
    rank.error = error
    result = path.recommend.recommend(QUERY, T)
    assert [item.item_id for item in result.items] == ["i0", "i1", "i2", "i3", "i4"]
    assert result.items[0].score == 1.0
    assert result.degraded == {Degradation.RANK}


@pytest.mark.parametrize("flag", [Degradation.INDEX, Degradation.RECALL])
def test_what_recall_flags_is_passed_on(path: RequestPath, recall: FakeRecall, flag: Degradation) -> None:
    recall.result = RecallResult(Candidates.of(CANDIDATES), "r1", frozenset({flag}))
    assert path.recommend.recommend(QUERY, T).degraded == {flag}


def test_user_down_the_list_is_made_from_what_the_request_brings(
    path: RequestPath, recall: FakeRecall
) -> None:
    path.users.go_down()
    result = path.recommend.recommend(RecommendQuery(user_id="u1", profile={"age": "2"}, page_size=5), T)
    assert len(result.items) == 5
    assert (result.degraded, result.user_known) == ({Degradation.USER}, False)
    context = recall.calls[-1]
    assert (context.profile, list(context.events)) == ({"age": "2"}, [])  # type: ignore[attr-defined]


def test_an_unknown_user_gets_a_list_that_is_not_degraded(path: RequestPath) -> None:
    result = path.recommend.recommend(RecommendQuery(user_id="stranger", page_size=5), T)
    assert len(result.items) == 5
    assert (result.degraded, result.user_known) == (frozenset(), False)


def test_recall_down_the_last_good_list_is_shown(path: RequestPath, recall: FakeRecall) -> None:
    recall.go_down()
    result = path.recommend.recommend(QUERY, T)
    assert len(result.items) == 5
    assert result.degraded == {Degradation.CANDIDATES}
    assert result.release == "r1"


def test_the_last_good_list_keeps_to_filter_and_dislikes(path: RequestPath, recall: FakeRecall) -> None:
    recall.go_down()
    path.users.add("u1", [Event("i98", "dislike", NOW - 5)])
    wanted = ItemFilter(brands=frozenset({"brand0"}), exclude_item_ids=frozenset({"i91"}))
    found = shown(path, RecommendQuery(user_id="u1", page_size=5, filter=wanted))
    assert found
    assert all(path.items.items[item_id].brand == "brand0" for item_id in found)
    assert not {"i98", "i91"} & set(found)


def test_the_last_good_list_survives_a_failed_refresh(path: RequestPath, recall: FakeRecall) -> None:
    recall.go_down()
    path.fallback.refresh()
    assert len(shown(path)) == 5


def test_item_down_ids_are_shown_and_remembered_details(path: RequestPath) -> None:
    path.items.go_down()
    first = path.recommend.recommend(QUERY, T)
    assert [item.item for item in first.items] == [None] * 5
    assert first.degraded == {Degradation.ITEM}
    path.items.error = None
    path.recommend.recommend(QUERY, T)
    path.items.go_down()
    again = path.recommend.recommend(QUERY, T)
    assert [item.item for item in again.items] == [path.items.items[item.item_id] for item in first.items]
    assert again.degraded == {Degradation.ITEM}


def test_everything_down_the_last_good_list_is_shown(path: RequestPath, recall: FakeRecall) -> None:
    made, rank = fake_path(recall)
    made.fallback.refresh()
    for part in (made.users, made.items, recall, rank):
        part.go_down()
    result = made.recommend.recommend(QUERY, T)
    assert [item.item_id for item in result.items] == ["i0", "i1", "i2", "i3", "i4"]
    assert result.degraded == {
        Degradation.USER,
        Degradation.CANDIDATES,
        Degradation.RANK,
        Degradation.ITEM,
    }


def test_everything_down_from_the_start_gives_an_empty_list_and_no_error() -> None:
    recall = FakeRecall()
    recall.go_down()
    path, _ = fake_path(recall)
    result = path.recommend.recommend(QUERY, T)
    assert result.items == ()
    assert Degradation.CANDIDATES in result.degraded


def test_items_that_the_catalogue_lacks_or_cannot_be_bought_are_replaced_by_the_next_best(
    path: RequestPath,
) -> None:
    del path.items.items["i99"]
    path.items.set_availability(["i97"], False, T)
    result = path.recommend.recommend(QUERY, T)
    assert [item.item_id for item in result.items] == ["i98", "i96", "i95", "i94", "i93"]
    assert all(item.item for item in result.items)
    assert not result.degraded


def test_replacing_ends_even_if_the_catalogue_is_empty(path: RequestPath) -> None:
    path.items.items.clear()
    assert shown(path) == []
    assert len(path.items.calls) <= 3


class SlowRank(FakeRank):
    """Takes as long as it is given, then gives up: what a hung service looks like through a client."""

    def rank_items(self, context: object, item_ids: object, timeout_s: float, release: str = "") -> object:  # type: ignore[override]
        threading.Event().wait(timeout_s)
        raise DeadlineExceeded("rank did not answer in the time given")


def test_a_hung_part_takes_its_share_of_the_time_and_no_more(recall: FakeRecall) -> None:
    path, _ = fake_path(recall, SlowRank(), deadline_s=1.0)
    result = path.recommend.recommend(QUERY, 60.0)
    assert result.degraded == {Degradation.RANK}
    assert len(result.items) == 5
    assert result.items[0].item is not None
    assert result.timings_ms["rank"] < 1.0 * 1e3


@pytest.mark.parametrize("transport", ["in process"], indirect=True)
@pytest.mark.parametrize(
    ("part", "missing"),
    [
        ("user", Degradation.USER),
        ("recall", Degradation.CANDIDATES),
        ("rank", Degradation.RANK),
        ("item", Degradation.ITEM),
    ],
)
def test_in_process_a_part_that_heeds_no_time_is_left_behind(
    recall: FakeRecall, part: str, missing: Degradation
) -> None:
    path, rank = fake_path(recall, deadline_s=0.3)
    path.fallback.refresh()
    hung = {"user": path.users, "recall": recall, "rank": rank, "item": path.items}[part]
    hung.hangs = threading.Event()
    try:
        for _ in range(7):  # the circuit opens meanwhile
            started = time.monotonic()
            result = path.recommend.recommend(QUERY, T)
            assert time.monotonic() - started < 1.5  # of 0.3 s; whoever is waited for hangs for good
            assert result.degraded == {missing}
            assert len(result.items) == 5
    finally:
        hung.hangs.set()
    assert len(hung.calls) <= 7


def test_a_reason_names_its_item_by_title(path: RequestPath, recall: FakeRecall) -> None:
    recall.result = RecallResult(
        Candidates.of(
            [
                Candidate("i9", 0.9, ("item_to_item", "two_tower"), reason_item_id="i3"),
                Candidate("i8", 0.8, ("bought_again",), reason_item_id="i8"),
                Candidate("i7", 0.7, ("segment",), reason_segment="age=2"),
                Candidate("i5", 0.65, ("segment",)),
                Candidate("i6", 0.6, ("two_tower",)),
            ]
        ),
        "r1",
    )
    reasons = [item.reason for item in path.recommend.recommend(QUERY, T).items]
    assert [(one.kind, one.item_id, one.item_title, one.segment) for one in reasons] == [
        ("because_of_item", "i3", "Item 3", ""),
        ("bought_again", "i8", "Item 8", ""),
        ("popular_in_segment", "", "", "age=2"),
        ("popular", "", "", ""),
        ("for_you", "", "", ""),
    ]


def test_similar_items_down_the_last_good_list_is_shown_without_the_item(
    path: RequestPath, recall: FakeRecall
) -> None:
    recall.go_down()
    result = path.recommend.similar_items("i0", T, page_size=5)
    assert [item.item_id for item in result.items] == ["i1", "i2", "i3", "i4", "i5"]
    assert result.degraded == {Degradation.CANDIDATES}


def test_details_that_could_be_read_once_are_not_confused_between_items(path: RequestPath) -> None:
    path.items.items["i99"] = Item("i99", "Renamed", ("department0", "leaf3"))
    assert path.recommend.recommend(QUERY, T).items[0].item == Item(
        "i99", "Renamed", ("department0", "leaf3")
    )


def test_of_the_variants_of_an_item_one_is_shown_unless_there_is_nothing_else(path: RequestPath) -> None:
    items = path.items.items
    for row in range(80, 100):
        items[f"i{row}"] = replace(items[f"i{row}"], variant_of="i98" if row > 95 and row != 98 else "")
    assert shown(path) == ["i99", "i95", "i94", "i93", "i92"]
    everything = {row: replace(items[f"i{row}"], variant_of="one") for row in range(100)}
    items.update({f"i{row}": item for row, item in everything.items()})
    assert shown(path) == ["i99", "i98", "i97", "i96", "i95"]
