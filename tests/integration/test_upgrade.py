"""A store that an earlier version wrote is brought into the present form, and nothing in it is lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import redis

from engine.types import Item, UserEvent
from scripts.redis_load.upgrade import upgrade
from services.common import keys
from services.item.codec import item_to_json
from services.user.codec import StoredEvent, pack
from tests.integration.loads import T, items_at, load, prepared, users_at

pytestmark = pytest.mark.integration


def written_before(client: Any) -> None:
    """What the version before left of events and writes: lists by arrival, rows in the generation."""
    for number, at in enumerate((1000, 3000, 2000)):
        event = StoredEvent(f"i{number}", "view", at, 1.0, "token", f"id{number}")
        client.lpush("ecrs:e:u0", pack([event]))
        client.zadd(keys.live_event_ids("u0"), {event.event_id: number + 1})
    row = json.dumps({"user_id": "u0", "age": "9"})
    for key in (keys.user("1", "u0"), keys.original_user("u0")):
        client.set(key, row)
    client.zadd(keys.LIVE_USERS, {"u0": 0})
    for item in (Item("i1", "Dear", price=99.0), Item("own", "Own", available=False)):
        for key in (keys.item("1", item.item_id), keys.original_item(item.item_id)):
            client.set(key, item_to_json(item))
        client.zadd(keys.LIVE_ITEMS, {item.item_id: 0})
    client.sadd(keys.UNAVAILABLE, "own")


def test_events_and_writes_of_an_earlier_version_are_kept(redis_url: str, tmp_path: Path) -> None:
    load(redis_url, "--data", prepared(tmp_path / "v1", gone=["i1"]))
    client: Any = redis.Redis.from_url(redis_url)
    client.srem(keys.UNAVAILABLE, "i1")  # as writing the item did
    written_before(client)
    assert upgrade(client) == 4
    assert upgrade(client) == 0
    users, items = users_at(redis_url), items_at(redis_url)
    for brand in ("v2", "v3"):
        context = users.get_user_context("u0", 10, T).context
        assert [event.item_id for event in context.events] == ["i1", "i4", "i3", "i2", "i0", "i1"]
        assert users.get_user("u0", T).attributes == {"age": "9"}
        assert items.get_item("i1", T) == Item("i1", "Dear", price=99.0)
        assert not items.get_item("own", T).available
        load(redis_url, "--data", prepared(tmp_path / brand, gone=["i1"], brand=brand))
    assert users.record_user_events([UserEvent("u0", "i0", "view", 1000, event_id="id0")], T) == 0
    assert client.exists("ecrs:e:u0") == 0
    assert items.get_item("i2", T).brand == "v3"


def test_channel_lists_that_an_earlier_version_loaded_are_deleted(redis_url: str) -> None:
    client: Any = redis.Redis.from_url(redis_url)
    client.set("ecrs:format", "2")
    client.hset(keys.GENERATION, mapping={"users": "3", "channels": "3"})
    client.mset({"ecrs:3:c:popular": "[]", "ecrs:3:c:segment:age=5": "[]", keys.user("3", "a:c:b"): "{}"})
    upgrade(client)
    assert client.keys("ecrs:3:*") == [keys.user("3", "a:c:b").encode()]
    assert client.hgetall(keys.GENERATION) == {b"users": b"3"}


def test_a_list_that_holds_no_events_is_named(redis_url: str) -> None:
    client: Any = redis.Redis.from_url(redis_url)
    client.lpush("ecrs:e:eve", b"not packed")
    with pytest.raises(ValueError, match="ecrs:e:eve"):
        upgrade(client)
    assert client.exists("ecrs:e:eve")
