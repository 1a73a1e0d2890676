"""`python -m scripts.to_redis` on a real Redis."""

from __future__ import annotations

import json
import threading
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from engine.types import Item, UserEvent, UserProfile
from scripts.redis_load.histories import prepared_histories
from scripts.redis_load.problems import Problems
from services.common import keys
from services.user.codec import StoredEvent, unpack
from services.user.history import keep_newest
from tests.integration.loads import T, items_at, load, prepared, users_at

pytestmark = pytest.mark.integration


def test_users_items_and_histories_are_served_after_a_load(redis_url: str, tmp_path: Path) -> None:
    assert load(redis_url, "--data", prepared(tmp_path / "data", gone=["i2"])) == 0
    users, items = users_at(redis_url), items_at(redis_url)
    assert users.get_user("u0", T).attributes == {"age": "5.0", "visits": 3.0}
    assert users.get_user("u1", T).attributes == {}
    context = users.get_user_context("u0", 1000, T).context
    assert [tuple(event) for event in context.events] == [
        ("i4", "other", 3000), ("i3", "purchase", 3000), ("i1", "purchase", 1000),
    ]  # fmt: skip
    item = items.get_item("i1", T)
    assert item == Item(
        *("i1", "Item i1", ("Grocery", "Tea"), "v1", "7", 1.5, True, 0, {}),
        image_url="https://img.example/i1.jpg",
    )
    assert not items.get_item("i2", T).available
    listed, _ = items.list_items(100, "", T)
    assert len(listed) == 20


def test_the_originals_keys_are_written_too(redis_url: str, tmp_path: Path) -> None:
    load(redis_url, "--data", prepared(tmp_path / "data"))
    client = redis.Redis.from_url(redis_url)
    assert json.loads(client.get("u0##user_info") or b"") == {"user_id": "u0", "age": "5.0", "visits": "3"}
    row = json.loads(client.get("i1##product_info") or b"")
    assert (row["sku_id"], row["brand"], row["shopid"], row["cate"]) == ("i1", "v1", "7", "Tea")


def test_loading_twice_changes_nothing_but_the_generation(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", gone=["i2"])
    load(redis_url, "--data", data)
    before = items_at(redis_url).list_items(100, "", T)
    assert load(redis_url, "--data", data) == 0
    assert items_at(redis_url).list_items(100, "", T) == before
    client = redis.Redis.from_url(redis_url)
    assert client.hget(keys.GENERATION, "items") == b"2"
    assert 0 < client.ttl(keys.item("1", "i1")) <= 60
    assert 0 < client.ttl(keys.item_ids("1")) <= 60
    assert client.ttl(keys.item("2", "i1")) == -1
    assert client.exists("ecrs:load", "ecrs:load:lock") == 0


def test_only_the_parts_asked_for_are_loaded(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data")
    load(redis_url, "--data", data)
    assert load(redis_url, "--data", prepared(data, brand="v2"), "--only", "items") == 0
    generations = redis.Redis.from_url(redis_url).hgetall(keys.GENERATION)
    assert generations == {b"users": b"1", b"histories": b"1", b"items": b"2"}
    assert items_at(redis_url).get_item("i1", T).brand == "v2"
    assert users_at(redis_url).get_user_context("u0", 10, T).context.events


def test_what_the_new_data_lacks_is_gone_but_live_registrations_stay(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data")
    load(redis_url, "--data", data)
    users, items = users_at(redis_url), items_at(redis_url)
    users.upsert_users([UserProfile("new", {"age": "2"})], T)
    users.record_user_events([UserEvent("u0", "i9", "click")], T)
    items.upsert_items([Item("fresh", "Fresh", available=False)], T)
    load(redis_url, "--data", prepared(data, n_items=10))
    assert items.batch_get_items(["i1", "i15"], T)[1] == ["i15"]
    assert not items.get_item("fresh", T).available
    assert {item.item_id for item in items.list_items(100, "", T)[0]} == {
        "fresh",
        *(f"i{n}" for n in range(10)),
    }
    assert users.get_user("new", T).attributes == {"age": "2"}
    assert users.get_user_context("u0", 10, T).context.events[0].item_id == "i9"


def test_a_reload_decides_availability_where_the_api_has_not(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", gone=["i2"])
    load(redis_url, "--data", data)
    items = items_at(redis_url)
    items.set_availability(["i3"], False, T)
    load(redis_url, "--data", prepared(data, gone=["i4"]))
    assert redis.Redis.from_url(redis_url).smembers(keys.UNAVAILABLE) == {b"i3", b"i4"}


def test_readers_see_whole_loads_only_while_reloads_run(redis_url: str, tmp_path: Path) -> None:
    versions = [
        prepared(tmp_path / "v1", n_items=300, brand="v1"),
        prepared(tmp_path / "v2", n_items=200, brand="v2"),
    ]
    load(redis_url, "--data", versions[0])
    ids = [f"i{number}" for number in range(0, 300, 7)]
    expected = {"v1": len(ids), "v2": len([name for name in ids if int(name[1:]) < 200])}
    seen: list[tuple[set[str], int]] = []
    stop = threading.Event()

    def read() -> None:
        items = items_at(redis_url)
        while not stop.is_set():
            found, _ = items.batch_get_items(ids, T)
            seen.append(({item.brand for item in found}, len(found)))

    reader = threading.Thread(target=read)
    reader.start()
    for version in (1, 0, 1):
        assert load(redis_url, "--data", versions[version]) == 0
    stop.set()
    reader.join()
    assert all(len(brands) == 1 for brands, _ in seen)
    assert all(count == expected[next(iter(brands))] for brands, count in seen)
    assert {next(iter(brands)) for brands, _ in seen} == {"v1", "v2"}


def test_a_dry_run_writes_nothing(redis_url: str, tmp_path: Path) -> None:
    assert load(redis_url, "--data", prepared(tmp_path / "data"), "--dry-run") == 0
    assert redis.Redis.from_url(redis_url).dbsize() == 0


def test_the_originals_files_are_loaded(redis_url: str, tmp_path: Path) -> None:
    (tmp_path / "users.dat").write_text("1:5.0:1.0:5.0:20.0:176.0:1933.0\n2.0:1.0:::::\n", "utf-8")
    (tmp_path / "products.dat").write_text("1:3456:6980:70\n", "utf-8")
    assert load(redis_url, "--users", tmp_path / "users.dat", "--products", tmp_path / "products.dat") == 0
    profile = users_at(redis_url).get_user("1", T).attributes
    assert profile["age"] == "5.0"
    assert profile["country"] == "1933.0"
    assert users_at(redis_url).get_user("2", T).attributes["age"] == "1.0"
    assert items_at(redis_url).get_item("1", T).brand == "3456"


def test_histories_are_the_same_whatever_fits_into_memory(tmp_path: Path) -> None:
    n = 3000
    start = int(datetime(2020, 1, 1, tzinfo=timezone.utc).timestamp() * 1000)
    columns = {
        "user_id": [f"u{number * 7919 % 31}" for number in range(n)],
        "item_id": [f"i{number}" for number in range(n)],
        "type": ["purchase" if number % 2 else "view" for number in range(n)],
        "at": pa.array([start + number // 5 for number in range(n)], pa.timestamp("ms")),
        "value": pa.array([number / 2 for number in range(n)], pa.float32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "events.parquet")
    at_once = {row.id: row.value for row in prepared_histories(tmp_path, 50).rows(Problems())}
    in_shares = {row.id: row.value for row in prepared_histories(tmp_path, 50, 700).rows(Problems())}
    assert at_once == in_shares
    assert len(at_once) == 31
    everything = [
        StoredEvent(f"i{number}", "purchase" if number % 2 else "view", start + number // 5, number / 2)
        for number in range(n - 1, -1, -1)
        if number * 7919 % 31 == 3
    ]
    expected = keep_newest(everything, 50)
    assert len(everything) > 90
    value = at_once["u3"]
    assert isinstance(value, bytes)
    assert unpack(value) == expected


def test_views_push_no_purchase_out_of_a_history(tmp_path: Path) -> None:
    types = ["purchase"] * 8 + ["view"] * 40 + ["cart", "rate", "dislike"] + ["click"] * 9
    n = len(types)
    columns = {
        "user_id": ["u"] * n,
        "item_id": [f"i{number}" for number in range(n)],
        "type": types,
        "at": pa.array(range(n), pa.timestamp("ms")),
        "value": pa.array([1.0] * n, pa.float32()),
    }
    pq.write_table(pa.table(columns), tmp_path / "events.parquet")
    for length in (1, 2, 10, 20, 59, 60):
        (row,) = prepared_histories(tmp_path, length).rows(Problems())
        everything = [StoredEvent(f"i{at}", types[at], at) for at in range(n - 1, -1, -1)]
        assert isinstance(row.value, bytes)
        assert unpack(row.value) == keep_newest(everything, length)
