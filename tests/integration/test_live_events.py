"""No live event is lost before it is exported, and none is exported twice."""

from __future__ import annotations

import fcntl
import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from engine.types import UserEvent
from scripts import export_events
from scripts.events_archive import SCHEMA
from services.common import keys
from services.common.redis import connect
from services.common.values import now_ms
from services.user.codec import StoredEvent, pack
from services.user.live_events import EVENT_IDS_MS, LIVE_LIMIT, unexported
from services.user.service import UserService
from services.user.store import RedisUserStore

pytestmark = pytest.mark.integration

T = 2.0
NOW = now_ms() - 10_000


@pytest.fixture
def users(redis_url: str) -> UserService:
    return UserService(RedisUserStore(connect(redis_url, timeout_s=5.0)))


@pytest.fixture
def client(redis_url: str) -> Any:
    return redis.Redis.from_url(redis_url)


def of(user_id: str, kind: str, numbers: range, start: int = NOW) -> list[UserEvent]:
    """Events a millisecond apart, with ids of their own."""
    return [
        UserEvent(user_id, f"{kind}{number}", kind, start + number, event_id=f"{kind}-{start}-{number}")
        for number in numbers
    ]


def served(users: UserService, user_id: str) -> list[str]:
    return [event.item_id for event in users.get_user_context(user_id, 1000, T).context.events]


def archive(redis_url: str, folder: Path) -> int:
    return export_events.main(["--redis", redis_url, "--archive", str(folder)])


def archived(folder: Path) -> list[tuple[str, str]]:
    """User and item of every event in the files."""
    rows: list[tuple[str, str]] = []
    for file in sorted(folder.glob("*.parquet")):
        table = pq.read_table(file)
        assert table.schema.names == SCHEMA.names
        rows += zip(table["user_id"].to_pylist(), table["item_id"].to_pylist(), strict=True)
    return rows


def test_backfilled_events_push_out_none_of_today_and_are_exported(
    users: UserService, redis_url: str, tmp_path: Path, client: Any
) -> None:
    users.record_user_events(of("ann", "purchase", range(10)), T)
    for start in (0, 800):
        users.record_user_events(of("ann", "cart", range(start, start + 800), start=1), T)
    newest = served(users, "ann")
    assert newest[:10] == [f"purchase{number}" for number in range(9, -1, -1)]
    assert newest[10:] == [f"cart{number}" for number in range(1599, 609, -1)]
    assert archive(redis_url, tmp_path) == 0
    assert len(archived(tmp_path)) == len(set(archived(tmp_path))) == 1610
    assert client.zcard(keys.live_acts("ann")) == LIVE_LIMIT
    assert served(users, "ann") == newest


def test_views_push_out_no_purchase_live_or_loaded(users: UserService, client: Any) -> None:
    client.set(keys.history("1", "ann"), pack([StoredEvent("loaded", "purchase", 1000)]))
    client.hset(keys.GENERATION, "histories", "1")
    users.record_user_events(of("ann", "purchase", range(3), start=NOW - 5000), T)
    for start in range(0, 2400, 800):
        users.record_user_events(of("ann", "view", range(start, start + 800)), T)
    newest = served(users, "ann")
    assert len(newest) == 1000
    assert newest[-4:] == ["purchase2", "purchase1", "purchase0", "loaded"]
    assert newest[:996] == [f"view{number}" for number in range(2399, 1403, -1)]
    page, token = users.list_user_events("ann", 100, "", T)
    while token:
        more, token = users.list_user_events("ann", 100, token, T)
        page += more
    assert [event.item_id for event in page] == newest


def test_a_late_event_is_read_at_its_time_and_equal_ones_are_both_kept(users: UserService) -> None:
    users.record_user_events([UserEvent("ann", "new", "purchase", 5000)], T)
    users.record_user_events([UserEvent("ann", "old", "view", 3000)], T)
    users.record_user_events([UserEvent("ann", "late", "view", 4000)] * 2, T)
    users.record_user_events([UserEvent("ann", "same time", "cart", 4000)], T)
    assert served(users, "ann") == ["new", "same time", "late", "late", "old"]


def test_an_id_is_known_after_more_events_than_are_read_and_forgotten_after_a_week(
    users: UserService, client: Any
) -> None:
    first = of("ann", "purchase", range(1))
    users.record_user_events(first, T)
    for start in range(0, 1600, 800):
        users.record_user_events(of("ann", "view", range(start, start + 800)), T)
    assert users.record_user_events(first, T) == 0
    ids = keys.live_event_ids("ann")
    assert client.zcard(ids) == 1601
    client.zadd(ids, {first[0].event_id: now_ms() - EVENT_IDS_MS - 60_000})
    assert users.record_user_events(of("ann", "click", range(1)), T) == 1
    assert client.zscore(ids, first[0].event_id) is None
    assert client.zcard(ids) == 1601


def test_each_event_is_in_one_file_and_only_exported_ones_are_removed(
    users: UserService, redis_url: str, tmp_path: Path, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    users.record_user_events([*of("ann", "view", range(700)), *of("bob", "cart", range(5))], T)
    users.record_user_events(of("ann", "view", range(700, 1400)), T)
    assert unexported(client) == 1405
    assert client.zcard(keys.live_views("ann")) == 1400  # nothing is removed before it is exported
    assert archive(redis_url, tmp_path) == 0
    assert "1,405 events" in capsys.readouterr().out
    assert client.zcard(keys.live_views("ann")) == LIVE_LIMIT
    assert unexported(client) == 0
    assert archive(redis_url, tmp_path) == 0
    assert "no new events" in capsys.readouterr().out
    users.record_user_events([*of("ann", "view", range(1400, 1500)), *of("eve", "click", range(3))], T)
    assert archive(redis_url, tmp_path) == 0
    expected = [("ann", f"view{number}") for number in range(1500)]
    expected += [("bob", f"cart{number}") for number in range(5)]
    expected += [("eve", f"click{number}") for number in range(3)]
    assert Counter(archived(tmp_path)) == Counter(expected)
    assert len(list(tmp_path.glob("*.parquet"))) == 2
    assert users.delete_user("ann", T)
    assert client.keys("ecrs:ev:*:ann") == client.keys("ecrs:d:ann") == []


def test_an_export_that_died_before_it_was_noted_is_replaced_by_the_next(
    users: UserService, redis_url: str, tmp_path: Path, client: Any
) -> None:
    users.record_user_events(of("ann", "view", range(20)), T)
    archive(redis_url, tmp_path)
    # The moment after the file had its name: the number has not moved, the shoppers are still listed.
    client.set(keys.EVENTS_EXPORTED, 0)
    client.sadd(keys.EVENTS_EXPORTING, "ann")
    (tmp_path / ".events-1-2-x.parquet.partial").write_bytes(b"half")
    users.record_user_events(of("bob", "view", range(5)), T)
    assert archive(redis_url, tmp_path) == 0
    assert len(archived(tmp_path)) == len(set(archived(tmp_path))) == 25
    assert len([path for path in tmp_path.iterdir() if path.name != ".lock"]) == 1


def test_events_recorded_while_exports_run_are_in_one_file_each(
    users: UserService, redis_url: str, tmp_path: Path
) -> None:
    stop = threading.Event()
    recorded: list[tuple[str, str]] = []

    def record(name: str) -> None:
        number = 0
        while not stop.is_set():
            number += 1
            users.record_user_events([UserEvent(name, f"i{number}", "view", number)], T)
            recorded.append((name, f"i{number}"))

    threads = [threading.Thread(target=record, args=(name,)) for name in ("ann", "bob", "eve")]
    for thread in threads:
        thread.start()
    for _ in range(8):
        assert archive(redis_url, tmp_path) == 0
    stop.set()
    for thread in threads:
        thread.join()
    assert archive(redis_url, tmp_path) == 0
    assert len(recorded) > 100
    assert Counter(archived(tmp_path)) == Counter(recorded)


def test_what_cannot_be_archived_is_one_line_and_removes_nothing(
    users: UserService, redis_url: str, tmp_path: Path, client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    users.record_user_events(of("ann", "view", range(3)), T)
    assert archive(redis_url, tmp_path / "no") == 1
    with (tmp_path / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert archive(redis_url, tmp_path) == 1
    client.zadd(keys.live_views("ann"), {b"12345678not packed": 1})
    assert archive(redis_url, tmp_path) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.split(":")[0] for line in lines] == ["error"] * 3
    assert "make it first" in lines[0]
    assert "another export is at work there" in lines[1]
    assert "key ecrs:ev:v:ann" in lines[2]
    assert list(tmp_path.glob("*.parquet")) == []
    assert unexported(client) == 3
    with pytest.raises(SystemExit, match="2"):
        export_events.main(["--redis", redis_url, "--archive", str(tmp_path), "--impressions"])


def test_an_archive_has_the_columns_that_prepare_joins(
    users: UserService, redis_url: str, tmp_path: Path
) -> None:
    users.record_user_events([UserEvent("ann", "tea", "purchase", 86_400_000, 2.5, "list-1")], T)
    archive(redis_url, tmp_path)
    (file,) = tmp_path.glob("*.parquet")
    table = pq.read_table(file)
    (row,) = table.set_column(3, "at", table["at"].cast(pa.int64())).to_pylist()
    assert row == {
        "user_id": "ann", "item_id": "tea", "type": "purchase", "at": 86_400_000, "value": 2.5,
        "token": "list-1",
    }  # fmt: skip
