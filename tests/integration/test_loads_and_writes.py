"""What came through the API is there after every load, whenever it came; what was deleted stays deleted."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from engine.errors import NotFound
from engine.types import Item, UserEvent, UserProfile
from services.common import keys
from services.common.redis import connect
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.user.service import UserService
from services.user.store import RedisUserStore
from tests.integration.loads import T, items_at, load, prepared, users_at
from tests.support.writers import Writers

pytestmark = pytest.mark.integration

USERS, ITEMS = 120, 80


def with_users(folder: Path, count: int = USERS) -> Path:
    """Give a prepared dataset `count` users, each with one event."""
    ids = [f"u{number}" for number in range(count)]
    users = {"user_id": ids, "age": ["loaded"] * count, "visits": [1.0] * count}
    pq.write_table(pa.table(users), folder / "users.parquet")
    events = {
        "user_id": ids,
        "item_id": ["i1"] * count,
        "type": ["purchase"] * count,
        "at": pa.array([1000] * count, pa.timestamp("ms")),
        "value": pa.array([1.0] * count, pa.float32()),
    }
    pq.write_table(pa.table(events), folder / "events.parquet")
    return folder


def command(redis_url: str, data: Path) -> list[str]:
    return [sys.executable, "-m", "scripts.to_redis", "--redis", redis_url, "--data", str(data)]


def killed_in_items(redis_url: str, data: Path) -> None:
    """Begin a load, and kill -9 it between two batches of items."""
    client = redis.Redis.from_url(redis_url)
    loading = subprocess.Popen(command(redis_url, data), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 60
    while int(client.hget("ecrs:load", "rows:items") or 0) < 1000 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(loading.pid, signal.SIGKILL)
    loading.wait()
    assert client.hget("ecrs:load", "phase") == b"writing"
    client.close()


def test_what_came_through_the_api_wins_over_every_later_load(redis_url: str, tmp_path: Path) -> None:
    load(redis_url, "--data", prepared(tmp_path / "data", gone=["i2"]))
    users, items = users_at(redis_url), items_at(redis_url)
    dearer = replace(items.get_item("i1", T), title="Better tea", price=99.0)
    items.upsert_items([dearer, Item("i4", available=False)], T)
    items.set_availability(["i3"], False, T)
    items.set_availability(["i2"], True, T)
    users.upsert_users([UserProfile("u0", {"age": "3"})], T)
    for version in ("v2", "v3"):
        load(redis_url, "--data", prepared(tmp_path / "data", gone=["i2", "i6"], brand=version))
        found, _ = items.batch_get_items([f"i{number}" for number in range(1, 7)], T)
        assert found[0] == dearer
        assert [item.available for item in found] == [True, True, False, False, True, False]
        assert [item.brand for item in found[1:3]] == [version, version]
        assert users.get_user("u0", T).attributes == {"age": "3"}
        client = redis.Redis.from_url(redis_url)
        assert json.loads(client.get("i1##product_info") or b"")["price"] == 99.0
        assert json.loads(client.get("i5##product_info") or b"")["brand"] == version
        assert json.loads(client.get("u0##user_info") or b"") == {"user_id": "u0", "age": "3"}
        client.close()


def test_a_deleted_user_stays_deleted_and_comes_back_without_the_old_history(
    redis_url: str, tmp_path: Path
) -> None:
    data = prepared(tmp_path / "data")
    load(redis_url, "--data", data)
    users = users_at(redis_url)
    assert users.delete_user("u0", T)
    load(redis_url, "--data", prepared(data, brand="v2"))
    client = redis.Redis.from_url(redis_url)
    with pytest.raises(NotFound):
        users.get_user("u0", T)
    assert not users.get_user_context("u0", 10, T).known
    assert [user.user_id for user in users.list_users(10, "", T)[0]] == ["u1"]
    assert client.exists("u0##user_info", keys.user("2", "u0"), keys.history("2", "u0")) == 0

    users.upsert_users([UserProfile("u0", {"age": "2"})], T)
    users.record_user_events([UserEvent("u0", "i9", "click")], T)
    for arguments in ((), ("--overwrite",)):
        load(redis_url, "--data", prepared(data, brand="v3"), *arguments)
        assert users.get_user("u0", T).attributes == {"age": "2"}
        assert [event.item_id for event in users.get_user_context("u0", 10, T).context.events] == ["i9"]
    assert users.delete_user("u0", T)
    assert client.smembers(keys.DELETED_USERS) == {b"u0"}
    client.close()


def test_overwrite_lets_the_load_win_over_what_it_has(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", gone=["i2"])
    load(redis_url, "--data", data)
    users, items = users_at(redis_url), items_at(redis_url)
    items.upsert_items([Item("i1", "Live"), Item("own", "Our own", available=False)], T)
    items.set_availability(["i2"], True, T)
    items.set_availability(["i3"], False, T)
    users.upsert_users([UserProfile("u0", {"age": "3"}), UserProfile("new", {"age": "1"})], T)
    assert load(redis_url, "--data", data, "--overwrite") == 0
    client = redis.Redis.from_url(redis_url)
    assert items.get_item("i1", T).title == "Item i1"
    assert client.smembers(keys.UNAVAILABLE) == {b"i2", b"own"}
    assert json.loads(client.get("i1##product_info") or b"")["title"] == "Item i1"
    assert users.get_user("u0", T).attributes == {"age": "5.0", "visits": 3.0}
    assert users.get_user("new", T).attributes == {"age": "1"}
    assert not items.get_item("own", T).available
    assert client.keys("ecrs:load*") == []
    client.close()


def test_what_is_written_during_an_overwriting_load_wins_over_it(redis_url: str, tmp_path: Path) -> None:
    load(redis_url, "--data", prepared(tmp_path / "v1"))
    users, items = users_at(redis_url), items_at(redis_url)
    items.upsert_items([Item("i1", "Before"), Item("i2", "Before")], T)
    items.set_availability(["i3", "i4"], False, T)
    users.upsert_users([UserProfile("u0", {"age": "1"}), UserProfile("u1", {"age": "1"})], T)
    big = prepared(tmp_path / "v2", n_items=15_000, brand="v2")
    client = redis.Redis.from_url(redis_url)
    loading = subprocess.Popen([*command(redis_url, big), "--overwrite"], stderr=subprocess.DEVNULL)
    while int(client.hget("ecrs:load", "rows:items") or 0) < 1000:
        assert loading.poll() is None
        time.sleep(0.002)
    items.upsert_items([Item("i1", "During")], T)
    items.set_availability(["i3"], False, T)
    users.upsert_users([UserProfile("u0", {"age": "2"})], T)
    assert loading.wait(timeout=120) == 0
    found, _ = items.batch_get_items(["i1", "i2", "i3", "i4"], T)
    assert [item.title for item in found[:2]] == ["During", "Item i2"]
    assert [item.available for item in found[2:]] == [False, True]
    assert users.get_user("u0", T).attributes == {"age": "2"}
    assert users.get_user("u1", T).attributes == {}
    client.close()


def test_writes_and_deletions_between_a_killed_load_and_its_end_win(redis_url: str, tmp_path: Path) -> None:
    load(redis_url, "--data", prepared(tmp_path / "v1", brand="v1"))
    big = with_users(prepared(tmp_path / "v2", n_items=15_000, brand="v2"))
    killed_in_items(redis_url, big)
    users, items = users_at(redis_url), items_at(redis_url)
    assert users.delete_user("u1", T)
    assert users.delete_user("u77", T) is False  # in the load only, which has written the row already
    items.upsert_items([Item("i1", "Live"), Item("i14999", "Not loaded yet")], T)
    subprocess.run(command(redis_url, big), capture_output=True, check=True)
    found, missing = users.batch_get_users(["u0", "u1", "u77"], T)
    assert [user.user_id for user in found] == ["u0"]
    assert missing == ["u1", "u77"]
    assert not users.get_user_context("u77", 10, T).known
    titles = [item.title for item in items.batch_get_items(["i1", "i2", "i14999"], T)[0]]
    assert titles == ["Live", "Item i2", "Not loaded yet"]


def test_ten_loads_under_writes_and_deletions_lose_no_acknowledged_value(
    redis_url: str, tmp_path: Path
) -> None:
    versions = [
        with_users(prepared(tmp_path / brand, n_items=ITEMS, brand=brand, gone=gone))
        for brand, gone in (("v1", ["i41", "i79"]), ("v2", ["i42"]))
    ]
    load(redis_url, "--data", versions[0])
    users = UserService(RedisUserStore(connect(redis_url, timeout_s=5.0)))
    items = ItemService(RedisItemStore(connect(redis_url, timeout_s=5.0)))
    user_ids = [f"u{number}" for number in range(USERS)]
    item_ids = [f"i{number}" for number in range(ITEMS)]
    with Writers(users, items, user_ids, item_ids) as told:
        for number in range(10):
            time.sleep(0.2)
            assert load(redis_url, "--data", versions[(number + 1) % 2]) == 0
    assert told.calls > 500
    told.assert_all_as_written()

    client = redis.Redis.from_url(redis_url)
    for name in item_ids:
        item, row = items.get_item(name, T), json.loads(client.get(f"{name}##product_info") or b"")
        assert row["price"] == item.price
        assert name in told.prices or row["brand"] == item.brand == "v1"
    for name in told.ages:
        assert json.loads(client.get(f"{name}##user_info") or b"")["age"] == told.ages[name]
    assert client.exists(*(f"{name}##user_info" for name in told.deleted)) == 0
    listed: set[str] = set()
    page, token = users.list_users(100, "", T)
    while page:
        listed |= {user.user_id for user in page}
        page, token = users.list_users(100, token, T) if token else ([], "")
    assert listed == {*user_ids, *told.ages} - told.deleted
    client.close()
