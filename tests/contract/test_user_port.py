"""What every implementation of the user port does."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
import redis

from engine.errors import InvalidArgument, NotFound
from engine.features import Event
from engine.types import UserEvent, UserProfile
from services.common import keys
from services.common.ports import UserPort
from services.user.codec import StoredEvent, pack

pytestmark = pytest.mark.contract

T = 2.0  # seconds a call may take
DAY_MS = 86_400_000


def test_a_written_profile_is_read_back(users: UserPort) -> None:
    ann = UserProfile("ann", {"age": "25-34", "tastes": ("tea", "rice"), "city_level": "5.0"})
    assert users.upsert_users([ann], T) == 1
    assert users.get_user("ann", T) == ann


def test_a_written_profile_replaces_the_one_before(users: UserPort) -> None:
    users.upsert_users([UserProfile("ann", {"age": "25-34", "sex": "2"})], T)
    users.upsert_users([UserProfile("ann", {"age": "35-44"})], T)
    assert users.get_user("ann", T).attributes == {"age": "35-44"}


def test_an_unknown_user_is_not_found(users: UserPort) -> None:
    with pytest.raises(NotFound, match="nobody"):
        users.get_user("nobody", T)


def test_a_batch_keeps_the_order_and_names_the_missing(users: UserPort) -> None:
    users.upsert_users([UserProfile(name) for name in ("a", "b", "c")], T)
    found, missing = users.batch_get_users(["c", "x", "a", "c"], T)
    assert [user.user_id for user in found] == ["c", "a"]
    assert missing == ["x"]


def test_users_are_listed_in_pages_without_gaps(users: UserPort) -> None:
    names = [f"u{number:02}" for number in range(23)]
    users.upsert_users([UserProfile(name) for name in names], T)
    seen, token = [], ""
    while True:
        page, token = users.list_users(10, token, T)
        seen += [user.user_id for user in page]
        if not token:
            break
    assert seen == names


def test_the_context_of_an_unknown_user_is_empty(users: UserPort) -> None:
    found = users.get_user_context("nobody", 1000, T)
    assert not found.known
    assert list(found.context.events) == []
    assert dict(found.context.profile) == {}


def test_an_event_is_in_the_very_next_context(users: UserPort) -> None:
    before = int(time.time() * 1000)
    assert users.record_user_events([UserEvent("ann", "tea", "click")], T) == 1
    found = users.get_user_context("ann", 1000, T)
    (event,) = found.context.events
    assert found.known
    assert event[:2] == ("tea", "click")
    assert before <= event.at <= int(time.time() * 1000)
    assert found.context.now > event.at  # only events before `now` count


def test_loaded_and_live_events_are_merged_newest_first(users: UserPort, redis_url: str) -> None:
    history = [StoredEvent("rice", "purchase", 3000), StoredEvent("tea", "purchase", 1000)]
    client = redis.Redis.from_url(redis_url)
    client.set(keys.history("7", "ann"), pack(history))
    client.hset(keys.GENERATION, "histories", "7")
    live = [
        UserEvent("ann", "milk", "view", 2000),
        UserEvent("ann", "rice", "purchase", 3000),  # the load brought this one along
        UserEvent("ann", "salt", "view", 4000),
    ]
    users.record_user_events(live, T)
    assert list(users.get_user_context("ann", 1000, T).context.events) == [
        Event("salt", "view", 4000),
        Event("rice", "purchase", 3000),
        Event("milk", "view", 2000),
        Event("tea", "purchase", 1000),
    ]
    assert len(users.get_user_context("ann", 2, T).context.events) == 2


def test_the_same_event_id_is_stored_once(users: UserPort) -> None:
    event = UserEvent("ann", "tea", "purchase", 5000, 2.5, "token", "order-1")
    assert users.record_user_events([event], T) == 1
    assert users.record_user_events([event, UserEvent("ann", "tea", "view", 6000)], T) == 1
    assert users.record_user_events([UserEvent("bob", "tea", "view", 6000, event_id="order-1")], T) == 1
    page, _ = users.list_user_events("ann", 10, "", T)
    assert page == [UserEvent("ann", "tea", "view", 6000), event]


def test_impressions_are_stored_with_their_token_and_are_no_part_of_the_history(
    users: UserPort, redis_url: str
) -> None:
    before = int(time.time() * 1000)
    shown = [
        UserEvent("ann", "tea", "impression", attribution_token="list-1"),
        UserEvent("ann", "rice", "impression", 5000, attribution_token="list-1"),
    ]
    assert users.record_user_events(shown, T) == 2
    assert not users.get_user_context("ann", 1000, T).known
    assert users.record_user_events([UserEvent("ann", "tea", "click", 6000), shown[1]], T) == 2
    page, _ = users.list_user_events("ann", 10, "", T)
    assert page == [UserEvent("ann", "tea", "click", 6000)]
    assert list(users.get_user_context("ann", 1000, T).context.events) == [Event("tea", "click", 6000)]

    client: Any = redis.Redis.from_url(redis_url)
    stored = [fields for _, fields in client.xrange(keys.IMPRESSIONS)]
    assert stored[1] == stored[2] == {b"user": b"ann", b"item": b"rice", b"token": b"list-1", b"at": b"5000"}
    assert before <= int(stored[0][b"at"]) <= int(time.time() * 1000)


def test_an_impression_is_stored_again_and_takes_no_event_id(users: UserPort, redis_url: str) -> None:
    shown = UserEvent("ann", "tea", "impression", attribution_token="list-1", event_id="e1")
    assert [users.record_user_events([shown], T) for _ in range(2)] == [1, 1]
    assert users.record_user_events([UserEvent("ann", "tea", "view", 6000, event_id="e1")], T) == 1
    client = redis.Redis.from_url(redis_url)
    assert client.xlen(keys.IMPRESSIONS) == 2
    assert client.zrange(keys.live_event_ids("ann"), 0, -1) == [b"e1"]


def test_only_the_newest_thousand_events_are_kept(users: UserPort) -> None:
    for start in (0, 600):
        batch = [
            UserEvent("ann", f"i{number}", "view", 1 + number, event_id=f"e{number}")
            for number in range(start, start + 600)
        ]
        assert users.record_user_events(batch, T) == 600
    events = users.get_user_context("ann", 1000, T).context.events
    assert len(events) == 1000
    assert (events[0].item_id, events[-1].item_id) == ("i1199", "i200")


def test_events_are_listed_in_pages_though_new_ones_arrive_and_times_are_equal(users: UserPort) -> None:
    users.record_user_events(
        [UserEvent("ann", f"i{number}", "view", 1000 + number // 10) for number in range(25)], T
    )
    first, token = users.list_user_events("ann", 7, "", T)
    users.record_user_events([UserEvent("ann", "late", "view", 9000)], T)
    rest = []
    while token:
        page, token = users.list_user_events("ann", 7, token, T)
        rest += page
    listed = [event.item_id for event in first + rest]
    assert len(listed) == 25
    assert set(listed) == {f"i{number}" for number in range(25)}


def test_deleting_forgets_everything(users: UserPort) -> None:
    users.upsert_users([UserProfile("ann", {"age": "25-34"})], T)
    users.record_user_events([UserEvent("ann", "tea", "view", event_id="1")], T)
    assert users.delete_user("ann", T) is True
    assert users.delete_user("ann", T) is False
    assert not users.get_user_context("ann", 1000, T).known
    assert users.list_users(10, "", T) == ([], "")
    assert users.record_user_events([UserEvent("ann", "tea", "view", event_id="1")], T) == 1


def test_attributes_that_the_dataset_does_not_have_are_refused(users: UserPort, redis_url: str) -> None:
    features = [{"name": "age", "kind": "categorical"}, {"name": "visits", "kind": "number"}]
    dataset = {"dataset": {"name": "shop"}, "user_feature": features}
    redis.Redis.from_url(redis_url).set(keys.DATASET, json.dumps(dataset))
    users.upsert_users([UserProfile("ann", {"age": "25-34", "visits": 3.0})], T)
    assert users.get_user("ann", T).attributes == {"age": "25-34", "visits": 3.0}
    with pytest.raises(InvalidArgument, match=r"users\[1\].attributes.shoe_size.*age, visits"):
        users.upsert_users([UserProfile("bob"), UserProfile("bob", {"shoe_size": "43"})], T)
    with pytest.raises(NotFound):
        users.get_user("bob", T)


@pytest.mark.parametrize("bad", ["", "x" * 257, "a\nb", "é" * 129, "x" * 10_000])
def test_bad_ids_are_refused_by_every_call(users: UserPort, bad: str) -> None:
    calls = [
        lambda: users.get_user(bad, T),
        lambda: users.batch_get_users(["ok", bad], T),
        lambda: users.upsert_users([UserProfile(bad)], T),
        lambda: users.get_user_context(bad, 10, T),
        lambda: users.record_user_events([UserEvent(bad, "tea", "view")], T),
        lambda: users.record_user_events([UserEvent("ann", bad, "view")], T),
        lambda: users.list_user_events(bad, 10, "", T),
        lambda: users.delete_user(bad, T),
    ]
    for call in calls:
        with pytest.raises(InvalidArgument, match=r"user_id|item_id"):
            call()


def test_a_page_has_the_default_size_for_0_and_never_more_than_the_most(users: UserPort) -> None:
    users.upsert_users([UserProfile(f"u{number:03}") for number in range(110)], T)
    users.record_user_events([UserEvent("ann", "i", "view", 1_000 + number) for number in range(110)], T)
    for size, length in ((0, 20), (100, 100), (101, 100), (1_000_000, 100)):
        assert len(users.list_users(size, "", T)[0]) == length
        assert len(users.list_user_events("ann", size, "", T)[0]) == length
    with pytest.raises(InvalidArgument, match="page_size: must not be negative, not -1"):
        users.list_users(-1, "", T)
    with pytest.raises(InvalidArgument, match="page_size: must not be negative, not -1"):
        users.list_user_events("ann", -1, "", T)


@pytest.mark.parametrize("token", ["nonsense!", "aXRlbXM6YQ", "x" * 5000, "é"])
def test_foreign_page_tokens_are_refused(users: UserPort, token: str) -> None:
    with pytest.raises(InvalidArgument, match="page_token"):
        users.list_users(10, token, T)
    with pytest.raises(InvalidArgument, match="page_token"):
        users.list_user_events("ann", 10, token, T)


def test_a_context_has_all_events_for_0_and_never_more_than_the_most(users: UserPort) -> None:
    for first in (1_000, 1_600):
        users.record_user_events([UserEvent("ann", "i", "view", first + n) for n in range(600)], T)
    for most, length in ((0, 1_000), (1, 1), (1_001, 1_000)):
        assert len(users.get_user_context("ann", most, T).context.events) == length
    with pytest.raises(InvalidArgument, match="max_events: must not be negative, not -1"):
        users.get_user_context("ann", -1, T)


@pytest.mark.parametrize(
    ("event", "field"),
    [
        (UserEvent("ann", "tea", "teleport"), "type"),
        (UserEvent("ann", "tea", "view", at_ms=-1), "at_ms"),
        (UserEvent("ann", "tea", "view", at_ms=int(time.time() * 1000) + 2 * DAY_MS), "at_ms"),
        (UserEvent("ann", "tea", "view", value=float("nan")), "value"),
        (UserEvent("ann", "tea", "view", attribution_token="t" * 257), "attribution_token"),
        (UserEvent("ann", "tea", "view", event_id="e" * 129), "event_id"),
        (UserEvent("ann", "tea", "view", event_id="a\nb"), "event_id"),
        (UserEvent("ann", "", "impression"), "item_id"),
        (UserEvent("ann", "tea", "impression", at_ms=-1), "at_ms"),
        (UserEvent("ann", "tea", "impression", attribution_token="t" * 257), "attribution_token"),
    ],
)
def test_of_a_batch_with_one_bad_event_none_is_stored(users: UserPort, event: UserEvent, field: str) -> None:
    with pytest.raises(InvalidArgument, match=rf"events\[1\]\.{field}"):
        users.record_user_events([UserEvent("ann", "tea", "view"), event], T)
    assert not users.get_user_context("ann", 1000, T).known


def test_of_a_batch_with_one_bad_event_no_impression_is_stored(users: UserPort, redis_url: str) -> None:
    with pytest.raises(InvalidArgument, match=r"events\[1\]\.item_id"):
        users.record_user_events([UserEvent("ann", "tea", "impression"), UserEvent("ann", "", "view")], T)
    assert redis.Redis.from_url(redis_url).xlen(keys.IMPRESSIONS) == 0


def test_batches_that_are_empty_or_too_long_are_refused(users: UserPort) -> None:
    for count in (0, 1001):
        with pytest.raises(InvalidArgument, match="user_ids: has"):
            users.batch_get_users(["a"] * count, T)
        with pytest.raises(InvalidArgument, match="users: has"):
            users.upsert_users([UserProfile("a")] * count, T)
        with pytest.raises(InvalidArgument, match="events: has"):
            users.record_user_events([UserEvent("a", "b", "view")] * count, T)


@pytest.mark.parametrize(
    "attributes",
    [
        {f"a{number}": "1" for number in range(65)},
        {"age": "x" * 1025},
        {"age": float("inf")},
        {"age": tuple("x" * 65)},
        {"": "5"},
        {"user_id": "5"},
    ],
)
def test_attributes_over_their_limits_are_refused(
    users: UserPort, attributes: dict[str, str | float | tuple[str, ...]]
) -> None:
    with pytest.raises(InvalidArgument, match=r"users\[0\]\.attributes"):
        users.upsert_users([UserProfile("ann", attributes)], T)
