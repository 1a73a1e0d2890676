"""`python -m scripts.to_redis` on a real Redis."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Sequence
from datetime import datetime, timezone
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from scripts import to_redis
from scripts.redis_load.histories import prepared_histories
from scripts.redis_load.problems import BadData, Problems
from services.common import keys
from services.common.errors import NotFound
from services.common.ports import Item, UserEvent, UserProfile
from services.common.redis import connect
from services.item.service import ItemService
from services.item.store import RedisItemStore
from services.user.codec import StoredEvent, unpack
from services.user.service import UserService
from services.user.store import RedisUserStore
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration

T = 2.0
DATASET = """
[dataset]
name = "tiny"
title = "Tiny"
synthetic = true
notice = "Made for a test."
currency = "USD"
user_noun = "shopper"

[events]
positive = ["purchase"]

[[user_feature]]
name = "age"
kind = "categorical"
display = { en = "Age" }

[[user_feature]]
name = "visits"
kind = "number"
display = { en = "Visits" }
"""


def prepared(
    folder: Path,
    *,
    n_items: int = 20,
    brand: str = "v1",
    gone: Sequence[str] = (),
    prices: float | None = 1.5,
) -> Path:
    """A prepared dataset with users u0, u1 and items i0 …; `gone` are not available."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "dataset.toml").write_text(DATASET, "utf-8")
    pq.write_table(pa.table({"user_id": ["u0", "u1"], "age": ["5.0", None], "visits": [3.0, None]}),
                   folder / "users.parquet")  # fmt: skip
    ids = [f"i{number}" for number in range(n_items)]
    items = {
        "item_id": ids,
        "title": [f"Item {name}" for name in ids],
        "category_path": [["Grocery", "Tea"]] * n_items,
        "brand": [brand] * n_items,
        "shop": ["7"] * n_items,
        "price": pa.array([prices] * n_items, pa.float64()),
        "available": [name not in gone for name in ids],
        "listed_at": pa.array([None] * n_items, pa.timestamp("ms")),
    }
    pq.write_table(pa.table(items), folder / "items.parquet")
    events = [("u0", "i1", "purchase", 1000), ("u1", "i2", "view", 2000), ("u0", "i3", "purchase", 3000)]
    events += [("u0", "i4", "returned", 3000)]
    columns = {
        "user_id": [event[0] for event in events],
        "item_id": [event[1] for event in events],
        "type": [event[2] for event in events],
        "at": pa.array([event[3] for event in events], pa.timestamp("ms")),
        "value": pa.array([1.0] * len(events), pa.float32()),
    }
    pq.write_table(pa.table(columns), folder / "events.parquet")
    return folder


def load(url: str, *arguments: str | Path) -> int:
    return to_redis.main(["--redis", url, *map(str, arguments)])


def items_at(url: str) -> ItemService:
    return ItemService(RedisItemStore(connect(url)))


def users_at(url: str) -> UserService:
    return UserService(RedisUserStore(connect(url)))


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
    assert item == Item("i1", "Item i1", ("Grocery", "Tea"), "v1", "7", 1.5, True, 0, {})
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


def test_a_reload_decides_availability_of_its_own_items(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "data", gone=["i2"])
    load(redis_url, "--data", data)
    items = items_at(redis_url)
    items.set_availability(["i3"], False, T)
    load(redis_url, "--data", prepared(data, gone=["i4"]))
    assert redis.Redis.from_url(redis_url).smembers(keys.UNAVAILABLE) == {b"i4"}


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


def test_a_load_killed_halfway_changes_nothing_and_is_then_resumed(redis_url: str, tmp_path: Path) -> None:
    data = prepared(tmp_path / "v1", n_items=10, brand="v1")
    load(redis_url, "--data", data)
    big = prepared(tmp_path / "v2", n_items=40_000, brand="v2")
    command = [sys.executable, "-m", "scripts.to_redis", "--redis", redis_url, "--data", str(big)]
    client = redis.Redis.from_url(redis_url)
    loading = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while int(client.hget("ecrs:load", "rows:items") or 0) < 1000 and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(loading.pid, signal.SIGKILL)
    loading.wait()
    written = int(client.hget("ecrs:load", "rows:items") or 0)
    assert 1000 <= written < 40_000
    items = items_at(redis_url)
    assert {item.brand for item in items.list_items(100, "", T)[0]} == {"v1"}
    resumed = subprocess.run(command, capture_output=True, text=True, check=True)
    assert f"items: {40_000 - written:,} rows" in resumed.stdout
    assert items.get_item("i39999", T).brand == "v2"
    assert client.hget(keys.GENERATION, "items") == b"2"


def test_the_rest_of_another_unfinished_load_is_cleaned(redis_url: str, tmp_path: Path) -> None:
    client = redis.Redis.from_url(redis_url)
    client.set("ecrs:generation:last", 4)
    client.hset("ecrs:load", mapping={"phase": "writing", "source": "something else", "generation": "4"})
    client.set(keys.item("4", "old"), "{}")
    client.set(keys.item("44", "other"), "{}")
    load(redis_url, "--data", prepared(tmp_path / "data"))
    assert client.exists(keys.item("4", "old")) == 0
    assert client.exists(keys.item("44", "other")) == 1
    assert client.hget(keys.GENERATION, "items") == b"5"


def test_two_loads_at_once_are_refused(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    redis.Redis.from_url(redis_url).set("ecrs:load:lock", "another-host:1:1")
    assert load(redis_url, "--data", prepared(tmp_path / "data")) == 1
    assert "another load is running" in capsys.readouterr().err


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


def test_bad_lines_are_named_with_file_and_line_and_nothing_is_switched(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "users.dat"
    file.write_bytes(b"1:5.0:1.0:5.0:20.0:176.0:1933.0\n2:only:three\n\xff\xfe:1:2:3:4:5:6\n:1:2:3:4:5:6\n")
    assert load(redis_url, "--users", file) == 2
    errors = capsys.readouterr().err
    assert f"error: {file}:2: has 3 fields separated by ':', expected 7" in errors
    assert f"error: {file}:3: is not UTF-8 text" in errors
    assert f"error: {file}:4: user_id: must not be empty" in errors
    assert "Traceback" not in errors
    with pytest.raises(NotFound):
        users_at(redis_url).get_user("1", T)


@pytest.mark.parametrize("arguments", [[], ["--dry-run"]])
def test_bad_rows_of_tables_are_named(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], arguments: list[str]
) -> None:
    data = prepared(tmp_path / "data", prices=-1.0, n_items=30)
    assert load(redis_url, "--data", data, *arguments) == 2
    errors = capsys.readouterr().err
    assert f"{data / 'items.parquet'}:1: item.price: must be at least 0, not -1" in errors
    assert "more than 19 bad rows" in errors


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda data: (data / "items.parquet").unlink(), "items.parquet: there is no such file"),
        (lambda data: (data / "items.parquet").write_bytes(b"junk" * 10), "items.parquet"),
        (lambda data: (data / "dataset.toml").write_text("[["), "dataset.toml"),
        (
            lambda data: pq.write_table(pa.table({"user_id": ["a"]}), data / "users.parquet"),
            "no column 'age'",
        ),
        (lambda data: prepared(data, n_items=0), "items.parquet: has no rows"),
    ],
)
def test_damaged_data_is_one_clear_line(
    redis_url: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], damage: object, message: str
) -> None:
    data = prepared(tmp_path / "data")
    damage(data)  # type: ignore[operator]
    assert load(redis_url, "--data", data) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors
    assert redis.Redis.from_url(redis_url).exists(keys.GENERATION) == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing to load"),
        (["--users", "nowhere.dat"], "nowhere.dat: No such file"),
        (["--data", "nowhere"], "dataset.toml"),
        (["--data", "nowhere", "--products", "p.dat"], "give one of them"),
        (["--users", "u.dat", "--only", "items"], "--only items"),
    ],
)
def test_wrong_arguments_are_one_clear_line(
    redis_url: str, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    assert load(redis_url, *arguments) == 2
    errors = capsys.readouterr().err
    assert message in errors
    assert "Traceback" not in errors


@pytest.mark.parametrize(
    "arguments", [["--only", "cats"], ["--history-length", "0"], ["--users", "a", "--data", "b"]]
)
def test_arguments_out_of_range_are_refused(redis_url: str, arguments: list[str]) -> None:
    with pytest.raises(SystemExit, match="2"):
        load(redis_url, *arguments)


def test_a_redis_that_is_down_is_one_clear_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert load("redis://127.0.0.1:1/0", "--data", prepared(tmp_path / "data")) == 1
    assert capsys.readouterr().err.strip().splitlines()[-1].startswith("error: Redis cannot be reached")


def test_channel_lists_of_a_release_are_loaded(redis_url: str, tmp_path: Path) -> None:
    lists = {
        "popular": [["i1", 2.0]],
        "trending": [],
        "new": [["i2", 1]],
        "segments": {"age=5": [["i3", 0.5]]},
    }
    (tmp_path / "channels.json").write_text(json.dumps(lists), "utf-8")
    assert load(redis_url, "--release", tmp_path) == 0
    client = redis.Redis.from_url(redis_url)
    assert json.loads(client.get(keys.channel("1", "popular")) or b"") == [["i1", 2.0]]
    assert json.loads(client.get(keys.channel("1", "segment:age=5")) or b"") == [["i3", 0.5]]


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
    expected = [
        StoredEvent(f"i{number}", "purchase" if number % 2 else "view", start + number // 5, number / 2)
        for number in range(n - 1, -1, -1)
        if number * 7919 % 31 == 3
    ][:50]
    value = at_once["u3"]
    assert isinstance(value, bytes)
    assert unpack(value) == expected


def test_an_event_without_a_user_is_named(tmp_path: Path) -> None:
    data = prepared(tmp_path / "data")
    table = pq.read_table(data / "events.parquet")
    broken = table.set_column(0, "user_id", pa.array(["u0", None, "u0", "u\n1"]))
    pq.write_table(broken, data / "events.parquet")
    with pytest.raises(BadData) as error:
        list(prepared_histories(data, 10).rows(Problems()))
    lines = str(error.value).splitlines()
    assert any(line.endswith("events.parquet:2: user_id is missing") for line in lines)
    assert any("events.parquet:4: user_id: contains a control character" in line for line in lines)


def test_redis_killed_during_a_load_is_told_and_the_load_goes_on_later(
    redis_server: RedisServer, tmp_path: Path
) -> None:
    big = prepared(tmp_path / "data", n_items=30_000)
    command = [sys.executable, "-m", "scripts.to_redis", "--redis", redis_server.url, "--data", str(big)]
    client = redis.Redis.from_url(redis_server.url)
    loading = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 30
    while int(client.hget("ecrs:load", "rows:items") or 0) < 1000 and time.monotonic() < deadline:
        time.sleep(0.002)
    redis_server.kill()
    _, errors = loading.communicate(timeout=60)
    assert loading.returncode == 1
    assert "error: Redis" in errors
    assert "Traceback" not in errors
    redis_server.start()
    subprocess.run(command, check=True, capture_output=True)
    assert items_at(redis_server.url).get_item("i29999", T).brand == "v1"


def test_a_load_that_ended_right_after_its_switch_is_finished_by_the_next(
    redis_url: str, tmp_path: Path
) -> None:
    data = prepared(tmp_path / "data", brand="v1")
    load(redis_url, "--data", data)
    client = redis.Redis.from_url(redis_url)
    load(redis_url, "--data", prepared(data, brand="v2"))
    # Put it back to the moment after the switch: mirrors still old, the old generation without an end.
    client.hset(
        "ecrs:load",
        mapping={"phase": "switched", "source": "?", "generation": "2", "done:items": "1", "old:items": "1"},
    )
    client.persist(keys.item("1", "i1"))
    client.set("i1##product_info", "{}")
    load(redis_url, "--data", prepared(data, brand="v3"), "--only", "items")
    assert client.ttl(keys.item("1", "i1")) > 0
    assert json.loads(client.get("i1##product_info") or b"")["brand"] == "v3"
    assert items_at(redis_url).get_item("i1", T).brand == "v3"
