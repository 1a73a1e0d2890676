"""Recommend with the real recall and rank over the tiny release: lists, events, filters, input."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import DeadlineExceeded, InvalidArgument, NotFound
from engine.features import Event
from engine.types import Item, ItemFilter, RecommendQuery, UserEvent
from services.recommend.attribution import read_token
from tests.support.releases import leaf, write_release
from tests.support.request_path import RequestPath, real_path
from tests.support.stand_ins import NOW

pytestmark = pytest.mark.unit

T = 5.0
DAY = 86_400_000


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_release(tmp_path_factory.mktemp("artifacts"))


@pytest.fixture
def path(release: Path) -> RequestPath:
    made = real_path(release)
    for user, start in (("u1", 1), ("u2", 5)):
        taken = range(start, start + 96, 12)  # items of one leaf category
        events = [Event(f"i{row}", "purchase", NOW - row * DAY - 1) for row in taken]
        made.users.add(user, events, age=str(start % 4 + 1))
    return made


def listed(path: RequestPath, **query: object) -> list[str]:
    result = path.recommend.recommend(RecommendQuery(**query), T)  # type: ignore[arg-type]
    return [item.item_id for item in result.items]


def test_two_shoppers_share_fewer_than_fifteen_of_twenty(path: RequestPath) -> None:
    one, other = listed(path, user_id="u1"), listed(path, user_id="u2")
    assert len(one) == len(other) == 20
    assert len(set(one) & set(other)) < 15


def test_demographics_alone_change_the_list(path: RequestPath) -> None:
    one, other = (listed(path, profile={"age": age}) for age in ("1", "3"))
    assert len(one) == 20
    assert one != other


def test_a_context_with_impressions_is_read_as_one_with_other_events(path: RequestPath) -> None:
    for user, kind in (("shown", "impression"), ("other", "other")):
        path.users.add(user, [Event(f"i{row}", kind, NOW - row) for row in (3, 15, 20)])
    lists = [
        [(item.item_id, item.score) for item in path.recommend.recommend(RecommendQuery(user), T).items]
        for user in ("shown", "other")
    ]
    assert len(lists[0]) == 20
    assert lists[0] == lists[1]


def test_a_session_without_user_is_answered(path: RequestPath) -> None:
    result = path.recommend.recommend(RecommendQuery(session_item_ids=("i3", "i4")), T)
    because = [item.reason.item_id for item in result.items if item.reason.kind == "because_of_item"]
    assert set(because) <= {"i3", "i4"}
    assert len(because) >= 4
    assert not result.user_known


def test_a_list_changes_after_events_and_a_fifth_of_it_answers_them(path: RequestPath) -> None:
    before = listed(path, user_id="u1")
    clicks = [UserEvent("u1", item, "click", NOW - 1) for item in ("i8", "i20", "i44")]
    path.users.record_user_events(clicks, T)
    result = path.recommend.recommend(RecommendQuery(user_id="u1"), T)
    assert [item.item_id for item in result.items] != before
    answers = [item for item in result.items if item.reason.kind == "because_of_item"]
    assert len([item for item in answers if item.reason.item_id in {"i8", "i20", "i44"}]) >= 4
    assert all(leaf(int(item.reason.item_id[1:])) for item in answers)


def test_a_disliked_item_is_not_shown_again(path: RequestPath) -> None:
    top = listed(path, user_id="u1")[0]
    path.users.record_user_events([UserEvent("u1", top, "dislike", NOW - 1)], T)
    assert top not in listed(path, user_id="u1")


def test_the_same_request_gives_the_same_list(path: RequestPath) -> None:
    query = RecommendQuery(user_id="u1", page_size=50)
    one, two = (path.recommend.recommend(query, T) for _ in range(2))
    assert one.items == two.items
    assert one.attribution_token != two.attribution_token


def test_a_profile_in_the_request_overrides_the_stored_one(path: RequestPath) -> None:
    stored = listed(path, user_id="u1", page_size=50)
    assert listed(path, user_id="u1", page_size=50, profile={"age": "2"}) == stored
    assert listed(path, user_id="u1", page_size=50, profile={"age": "4"}) != stored


@pytest.mark.parametrize("size", [1, 20, 100])
def test_the_page_has_the_size_asked_for(path: RequestPath, size: int) -> None:
    found = listed(path, user_id="u1", page_size=size)
    assert len(set(found)) == len(found) == size


def test_a_filter_is_kept_and_the_page_full(path: RequestPath) -> None:
    wanted = ItemFilter(categories=frozenset({"department1"}), price_max=30)
    result = path.recommend.recommend(RecommendQuery(user_id="u1", filter=wanted, page_size=30), T)
    assert len(result.items) == 30
    for shown in result.items:
        assert shown.item is not None
        assert shown.item.category_path[0] == "department1"
        assert shown.item.price is not None
        assert shown.item.price <= 30


def test_no_window_of_ten_is_of_one_category(path: RequestPath) -> None:
    found = [leaf(int(item[1:])) for item in listed(path, user_id="u1", page_size=40)]
    assert all(max(map(found[at : at + 10].count, found)) <= 4 for at in range(31))


def test_the_token_says_release_and_placement(path: RequestPath) -> None:
    result = path.recommend.recommend(RecommendQuery(user_id="u1", placement="cart"), T)
    token = read_token(result.attribution_token)
    assert (token.release, token.placement) == (result.release, "cart")


def test_similar_items_give_the_reason_and_not_the_item_itself(path: RequestPath) -> None:
    result = path.recommend.similar_items("i3", T, page_size=10)
    assert len(result.items) == 10
    assert "i3" not in [item.item_id for item in result.items]
    assert result.items[0].reason.item_title == "Item 3"


def test_an_item_newer_than_the_release_gets_the_best_of_its_category(path: RequestPath) -> None:
    path.items.items["fresh"] = Item("fresh", "Fresh", ("department1", "leaf4"))
    result = path.recommend.similar_items("fresh", T, page_size=5)
    assert {leaf(int(item.item_id[1:])) for item in result.items} == {"leaf4"}


def test_an_item_without_sales_and_category_gets_what_is_written_alike_and_the_reason_says_so(
    tmp_path: Path,
) -> None:
    path = real_path(write_release(tmp_path, others=[{"sku_id": "tail", "title": "Item 5, blue"}]))
    path.items.items["tail"] = Item("tail", "Item 5, blue", ())
    result = path.recommend.similar_items("tail", T, page_size=5)
    assert result.items[0].item_id == "i5"
    assert {item.channels for item in result.items} == {("content",)}
    reasons = {(item.reason.kind, item.reason.item_id, item.reason.item_title) for item in result.items}
    assert reasons == {("similar_to", "tail", "Item 5, blue")}
    together = path.recommend.similar_items("tail", T, channels=("item_to_item",))
    assert together.items == ()


def test_what_is_popular_is_not_called_similar_to_an_item_without_texts(
    path: RequestPath,
) -> None:
    path.items.items["fresh"] = Item("fresh", "", ())
    result = path.recommend.similar_items("fresh", T)
    assert (result.items, result.degraded) == ((), frozenset())


BAD_QUERIES: list[tuple[RecommendQuery, str]] = [
    (RecommendQuery(), "user_id: one of user_id, profile and session_item_ids must be given"),
    (RecommendQuery(user_id="u1", page_size=-1), "page_size: must not be negative, not -1"),
    (RecommendQuery(user_id="x" * 10_240), "user_id: is 10240 bytes long, allowed are 1 to 256"),
    (RecommendQuery(user_id="a\nb"), "user_id: contains a control character"),
    (RecommendQuery(user_id="u1", candidate_count=49), "candidate_count: must be 50 to 500, not 49"),
    (RecommendQuery(user_id="u1", candidate_count=501), "candidate_count: must be 50 to 500, not 501"),
    (RecommendQuery(user_id="u1", placement="Home page"), "placement: must be 1 to 64 characters"),
    (RecommendQuery(session_item_ids=("i1",) * 51), "session_item_ids: has 51 elements"),
    (RecommendQuery(session_item_ids=("i1", "")), r"session_item_ids\[1\]: must not be empty"),
    (
        RecommendQuery(profile={"shoe_size": "9"}),
        "attributes.shoe_size: is not a feature .* age, sex",
    ),
    (RecommendQuery(profile={"age": float("nan")}), "profile.attributes.age: must be a finite number"),
    (
        RecommendQuery(user_id="u1", filter=ItemFilter(price_min=2, price_max=1)),
        "price_min: 2 is above",
    ),
]


@pytest.mark.parametrize(("query", "problem"), BAD_QUERIES)
def test_a_wrong_request_is_refused_by_field_and_range(
    path: RequestPath, query: RecommendQuery, problem: str
) -> None:
    with pytest.raises(InvalidArgument, match=problem):
        path.recommend.recommend(query, T)
    assert not path.users.calls, "nothing is asked for a wrong request"


def test_a_page_has_the_default_size_for_0_and_never_more_than_the_most(path: RequestPath) -> None:
    for size, length in ((0, 20), (101, 100), (10**6, 100)):
        assert len(path.recommend.recommend(RecommendQuery(user_id="u1", page_size=size), T).items) == length
        assert len(path.recommend.similar_items("i3", T, page_size=size).items) == length


def test_wrong_requests_for_similar_items_are_refused(path: RequestPath) -> None:
    with pytest.raises(NotFound, match="no-such"):
        path.recommend.similar_items("no-such", T)
    with pytest.raises(InvalidArgument, match="item_id: must not be empty"):
        path.recommend.similar_items("", T)
    with pytest.raises(InvalidArgument, match="page_size"):
        path.recommend.similar_items("i3", T, page_size=-1)


def test_no_time_at_all_is_the_callers_deadline(path: RequestPath) -> None:
    with pytest.raises(DeadlineExceeded):
        path.recommend.recommend(RecommendQuery(user_id="u1"), 0.0)


def test_a_known_user_without_events_and_profile_gets_a_list(path: RequestPath) -> None:
    path.users.add("bare")
    result = path.recommend.recommend(RecommendQuery(user_id="bare"), T)
    assert result.user_known
    assert len(result.items) == 20
    assert result == replace(result, degraded=frozenset())
