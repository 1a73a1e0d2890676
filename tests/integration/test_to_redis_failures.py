"""What `python -m scripts.to_redis` refuses, and what is left when it ends too early."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from engine.errors import NotFound
from scripts.redis_load.histories import prepared_histories
from scripts.redis_load.problems import BadData, Problems
from services.common import keys
from tests.integration.loads import T, items_at, load, prepared, users_at
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration


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
