"""Recall over the tiny release: filters, failures, provenance, and who gets personal results."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from engine.candidates import Candidate, RecallResult
from engine.errors import InvalidArgument, NotFound, ReleaseNotLoaded, Unavailable
from engine.features import Event, UserContext
from engine.recall.filters import LiveSet
from engine.recall.index import IndexUnavailable
from engine.release import Release
from engine.types import ItemFilter
from engine.vocabulary import CHANNELS, Degradation
from services.recall.service import RecallService
from tests.support.releases import leaf, records, write_release
from tests.support.request_path import BrokenIndex, LiveNow, real_recall
from tests.support.stand_ins import NOW

pytestmark = pytest.mark.unit

T = 2.0
CATALOGUE = {str(record["sku_id"]): record for record in records()}


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture(scope="module")
def recall(release: Path) -> RecallService:
    return real_recall(release)


def context(*events: Event, **profile: str) -> UserContext:
    return UserContext("u", profile, list(events), NOW)


def bought(item: str, days_ago: float = 1) -> Event:
    return Event(item, "purchase", NOW - int(days_ago * 86_400_000) - 1)


def clicked(item: str) -> Event:
    return Event(item, "click", NOW - 10)


SHOPPER = context(clicked("i3"), bought("i5", 2), bought("i17", 9), bought("i5", 12), age="2", sex="1")


def ids(result: RecallResult) -> list[str]:
    return [candidate.item_id for candidate in result.candidates]


def test_a_shopper_gets_as_many_distinct_candidates_as_asked_for_best_first(recall: RecallService) -> None:
    result = recall.recall_items(SHOPPER, 200, T)
    assert len(set(ids(result))) == len(result.candidates) == 200
    scores = [candidate.score for candidate in result.candidates]
    assert scores == sorted(scores, reverse=True)
    assert 0 < scores[-1] <= scores[0] <= 1
    assert result.release == "tiny-20240101T000000Z"
    assert not result.degraded


def test_every_channel_reports_and_gives_its_share(recall: RecallService) -> None:
    result = recall.recall_items(SHOPPER, 200, T)
    assert [report.channel for report in result.channels] == list(CHANNELS)
    assert all(report.found and not report.error for report in result.channels)
    assert {candidate.channels[0] for candidate in result.candidates} == set(CHANNELS)


def test_candidates_say_where_they_come_from(recall: RecallService) -> None:
    candidates = {one.item_id: one for one in recall.recall_items(SHOPPER, 200, T).candidates}
    again = candidates["i5"]
    assert again.channels[0] == "bought_again"
    assert again.reason_item_id == "i5"
    by_item = [one for one in candidates.values() if one.channels[0] == "item_to_item"]
    assert {one.reason_item_id for one in by_item} <= {"i3", "i5", "i17"}
    by_segment = [one for one in candidates.values() if one.channels[0] == "segment"]
    assert {one.reason_segment for one in by_segment} == {"age=2"}


def test_only_the_channels_asked_for_answer(recall: RecallService) -> None:
    result = recall.recall_items(SHOPPER, 50, T, channels=("trending", "new"))
    assert {name for one in result.candidates for name in one.channels} == {"trending", "new"}


def test_neighbours_of_what_was_just_clicked_come_first_among_item_to_item(recall: RecallService) -> None:
    result = recall.recall_items(SHOPPER, 20, T, channels=("item_to_item",))
    assert [one.reason_item_id for one in result.candidates[:2]] == ["i3", "i3"]


def test_the_same_request_gives_the_same_answer(recall: RecallService) -> None:
    assert recall.recall_items(SHOPPER, 100, T) == recall.recall_items(SHOPPER, 100, T)


def test_five_and_five_point_nought_are_the_same_profile(recall: RecallService) -> None:
    plain, dotted = context(age="2"), context(age="2.0")
    assert ids(recall.recall_items(plain, 50, T)) == ids(recall.recall_items(dotted, 50, T))


def test_demographics_alone_give_a_personal_list(recall: RecallService) -> None:
    young, old = (recall.recall_items(context(age=age), 20, T) for age in ("1", "4"))
    assert len(set(ids(young)) & set(ids(old))) < 15
    assert {one.channels[0] for one in young.candidates} == {"segment"}
    more = recall.recall_items(context(age="1"), 100, T)
    assert {"two_tower", "segment"} <= {one.channels[0] for one in more.candidates}


def test_an_anonymous_session_gives_a_personal_list(recall: RecallService) -> None:
    one, other = (recall.recall_items(context(clicked(item)), 20, T) for item in ("i3", "i8"))
    assert len(set(ids(one)) & set(ids(other))) < 15


def test_nobody_gets_popular_trending_and_new_items(recall: RecallService) -> None:
    result = recall.recall_items(UserContext("", {}, (), NOW), 100, T)
    assert len(result.candidates) == 100
    assert {one.channels[0] for one in result.candidates} == {"popular", "trending", "new"}


FILTERS: list[tuple[ItemFilter, Callable[[str], bool]]] = [
    (ItemFilter(categories=frozenset({"leaf4"})), lambda one: "leaf4" in CATALOGUE[one]["category_path"]),
    (
        ItemFilter(categories=frozenset({"department1", "leaf3"})),
        lambda one: bool({"department1", "leaf3"} & set(CATALOGUE[one]["category_path"])),
    ),
    (ItemFilter(brands=frozenset({"brand2"})), lambda one: CATALOGUE[one]["brand"] == "brand2"),
    (ItemFilter(price_min=10, price_max=12), lambda one: 10 <= CATALOGUE[one]["price"] <= 12),
    (ItemFilter(price_max=9.5), lambda one: CATALOGUE[one]["price"] is not None),
    (ItemFilter(exclude_item_ids=frozenset({"i5", "i3", "no-such"})), lambda one: one not in {"i5", "i3"}),
    (ItemFilter(exclude_purchased=True), lambda one: one not in {"i5", "i17"}),
]


@pytest.mark.parametrize(("wanted", "fits"), FILTERS)
def test_only_what_fits_the_filter_is_named(
    recall: RecallService, wanted: ItemFilter, fits: Callable[[str], bool]
) -> None:
    found = ids(recall.recall_items(SHOPPER, 300, T, item_filter=wanted))
    assert found
    assert all(fits(item) for item in found)


def test_a_narrow_filter_still_fills_the_list(recall: RecallService) -> None:
    """i290 … i299 cannot be bought: 24 of leaf4's 25 items can, and all of them are found."""
    result = recall.recall_items(SHOPPER, 300, T, item_filter=ItemFilter(categories=frozenset({"leaf4"})))
    assert set(ids(result)) == {
        item for item in CATALOGUE if leaf(int(item[1:])) == "leaf4" and item != "i292"
    }


def test_a_filter_that_nothing_fits_gives_an_empty_list(recall: RecallService) -> None:
    wanted = ItemFilter(categories=frozenset({"no such category"}))
    assert not recall.recall_items(SHOPPER, 50, T, item_filter=wanted).candidates


def test_unavailable_items_are_named_only_if_asked_for(release: Path) -> None:
    live = LiveNow()
    recall = real_recall(release, live=live)
    all_items = ItemFilter(include_unavailable=True)
    assert "i295" not in ids(recall.recall_items(SHOPPER, 300, T))
    assert "i295" in ids(recall.recall_items(SHOPPER, 300, T, item_filter=all_items))
    live.current = LiveSet(1, frozenset({"i5", "no-such"}))
    now = ids(recall.recall_items(SHOPPER, 300, T))
    assert "i5" not in now
    assert "i295" in now, "the live set says that it can be bought again"


def test_disliked_items_are_never_named(recall: RecallService) -> None:
    shopper = context(Event("i5", "dislike", NOW - 5), bought("i5"), bought("i17"))
    found = ids(recall.recall_items(shopper, 300, T, item_filter=ItemFilter(include_unavailable=True)))
    assert "i5" not in found
    assert len(found) == 299


def test_a_dead_index_is_replaced_by_exact_search_and_flagged(release: Path) -> None:
    index = BrokenIndex(Release.load(release).vectors)
    recall = real_recall(release, index)
    healthy = ids(recall.recall_items(SHOPPER, 100, T))
    index.error = IndexUnavailable("down for the test")
    for _ in range(5):
        result = recall.recall_items(SHOPPER, 100, T)
        assert ids(result) == healthy
        assert result.degraded == {Degradation.INDEX}
    assert len(index.calls) == 2, "the circuit is open: a dead index is not asked by each request"


def test_a_release_too_large_for_exact_search_is_filled_by_the_other_channels(release: Path) -> None:
    index = BrokenIndex(Release.load(release).vectors)
    index.error = IndexUnavailable("down for the test")
    result = real_recall(release, index, exact_limit=10).recall_items(SHOPPER, 50, T)
    assert len(result.candidates) == 50
    assert result.degraded == {Degradation.INDEX}
    assert "two_tower" not in {name for one in result.candidates for name in one.channels}
    assert next(report.error for report in result.channels if report.channel == "two_tower")


def test_a_failing_user_tower_leaves_the_other_channels(
    release: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recall = real_recall(release)
    loaded = recall._releases.get("")

    def fail(*_: object) -> np.ndarray:
        raise Unavailable("the user tower failed")

    monkeypatch.setattr(loaded, "encode_user", fail)
    result = recall.recall_items(SHOPPER, 50, T)
    assert len(result.candidates) == 50
    assert result.degraded == {Degradation.RECALL}


def test_similar_items_are_not_the_item_itself_and_come_from_its_neighbourhood(recall: RecallService) -> None:
    result = recall.similar_items("i3", 20, T)
    assert "i3" not in ids(result)
    assert len(result.candidates) == 20
    assert {one.channels[0] for one in result.candidates} == {"item_to_item", "two_tower"}
    same_leaf = [item for item in ids(result) if leaf(int(item[1:])) == leaf(3)]
    assert len(same_leaf) > 5


def test_similar_items_keep_to_the_filter(recall: RecallService) -> None:
    found: tuple[Candidate, ...] = recall.similar_items(
        "i3", 20, T, item_filter=ItemFilter(brands=frozenset({"brand1"}))
    ).candidates
    assert found
    assert all(CATALOGUE[one.item_id]["brand"] == "brand1" for one in found)


def test_the_embedding_has_length_one(recall: RecallService) -> None:
    vector, release = recall.encode_user(SHOPPER, T)
    assert np.linalg.norm(vector) == pytest.approx(1, abs=1e-5)
    assert release == "tiny-20240101T000000Z"


def test_the_number_of_candidates_has_a_default_and_a_maximum(recall: RecallService) -> None:
    lengths = [len(recall.recall_items(SHOPPER, top_k, T).candidates) for top_k in (0, 10, 1_000, 10**6)]
    assert lengths[:2] == [200, 10]
    assert lengths[2] == lengths[3] > 200
    assert [len(recall.similar_items("i3", top_k, T).candidates) for top_k in (0, 5)] == [20, 5]
    for call in (recall.recall_items, recall.similar_items):
        with pytest.raises(InvalidArgument, match="top_k: must not be negative, not -1"):
            call("i3" if call == recall.similar_items else SHOPPER, -1, T)


def test_wrong_requests_are_refused_by_name(recall: RecallService) -> None:
    with pytest.raises(InvalidArgument, match=r"channels: 'telepathy' is none of two_tower"):
        recall.recall_items(SHOPPER, 10, T, channels=("telepathy",))
    with pytest.raises(InvalidArgument, match="price_min"):
        recall.recall_items(SHOPPER, 10, T, item_filter=ItemFilter(price_min=5, price_max=1))
    with pytest.raises(NotFound, match="no-such"):
        recall.similar_items("no-such", 10, T)
    with pytest.raises(InvalidArgument, match="item_id"):
        recall.similar_items("x" * 10_000, 10, T)
    with pytest.raises(ReleaseNotLoaded, match="another"):
        recall.recall_items(SHOPPER, 10, T, release="another")
