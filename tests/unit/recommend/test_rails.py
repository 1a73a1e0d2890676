"""Rails: lists of some channels only, over the tiny release."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from engine.candidates import Candidate
from engine.errors import NotFound
from engine.features import Event
from engine.rank import SHIFT, impersonal_order
from engine.release import Release
from engine.types import Item, RecommendQuery, UserEvent
from engine.vocabulary import Degradation
from tests.support.releases import write_release
from tests.support.request_path import RequestPath, fake_path, real_path
from tests.support.stand_ins import NOW, FakeRecall

pytestmark = pytest.mark.unit

T = 5.0
DAY = 86_400_000


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def path(release: Path) -> RequestPath:
    made = real_path(release)
    made.users.add("u1", [Event(f"i{row}", "purchase", NOW - row * DAY - 1) for row in (1, 2, 13)], age="2")
    return made


def test_buy_again_is_what_was_bought_and_nothing_else(path: RequestPath) -> None:
    rail = path.recommend.recommend(RecommendQuery("u1", channels=("bought_again",)), T)
    assert {item.item_id for item in rail.items} <= {"i1", "i2", "i13"}
    assert rail.items
    assert {item.reason.kind for item in rail.items} == {"bought_again"}


def test_a_rail_owes_nothing_to_the_session(path: RequestPath) -> None:
    path.users.record_user_events([UserEvent("u1", item, "click", NOW - 1) for item in ("i8", "i20")], T)
    rail = path.recommend.recommend(RecommendQuery("u1", channels=("trending", "item_to_item")), T)
    assert all("trending" in item.channels or "item_to_item" in item.channels for item in rail.items)
    kinds = {item.channels[0]: item.reason.kind for item in rail.items}
    assert kinds["trending"] == "trending"


@pytest.mark.parametrize("channel", ["trending", "new", "popular"])
def test_an_impersonal_rail_keeps_its_order_but_for_some_places(
    path: RequestPath, release: Path, channel: str
) -> None:
    order = [item_id for item_id, _ in getattr(Release.load(release).channels, channel)]
    available = [item_id for item_id in order if int(item_id[1:]) < 290]
    rail = path.recommend.recommend(RecommendQuery("u1", channels=(channel,)), T)
    places = [available.index(item.item_id) for item in rail.items]
    assert all(abs(place - shown) <= SHIFT for shown, place in enumerate(places))
    assert places != list(range(20)), "the ranker may move items a little"


def test_nobody_at_all_gets_an_impersonal_rail(path: RequestPath) -> None:
    assert len(path.recommend.recommend(RecommendQuery(channels=("new", "trending")), T).items) == 20


def test_no_item_moves_further_than_allowed_whatever_its_score() -> None:
    scores = np.zeros(100, np.float32)
    scores[[0, 50]] = [-1, 1]
    places = impersonal_order(scores).tolist()
    assert sorted(places) == list(range(100))
    assert 42 <= places.index(50) < 50
    assert 0 < places.index(0) <= SHIFT


def test_without_recall_a_rail_is_cut_from_the_last_good_list() -> None:
    recall = FakeRecall(
        [Candidate("i1", 1.0, ("popular", "trending")), Candidate("i2", 0.5, ("popular",))], "r1"
    )
    path, _ = fake_path(recall)
    path.fallback.refresh()
    recall.go_down()
    trending = path.recommend.recommend(RecommendQuery("u1", channels=("trending",)), T)
    assert [(item.item_id, item.reason.kind) for item in trending.items] == [("i1", "trending")]
    again = path.recommend.recommend(RecommendQuery("u1", channels=("bought_again",)), T)
    assert again.items == ()
    assert Degradation.CANDIDATES in again.degraded
    together = path.recommend.similar_items("i1", T, channels=("item_to_item",))
    assert together.items == ()


def test_an_item_newer_than_the_release_has_alternatives_but_nothing_bought_together(
    path: RequestPath,
) -> None:
    path.items.upsert_items([Item("fresh", "Fresh", ("department1", "leaf4"))], T)
    alternatives = path.recommend.similar_items("fresh", T, page_size=5, channels=("two_tower",))
    assert len(alternatives.items) == 5
    assert path.recommend.similar_items("fresh", T, channels=("item_to_item",)).items == ()
    with pytest.raises(NotFound):
        path.recommend.similar_items("no-such", T, channels=("item_to_item",))
