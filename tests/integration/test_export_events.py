"""Live events and impressions, out of a real Redis into Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import redis

from data.canonical import EVENTS
from engine.types import UserEvent
from scripts import export_events
from services import bootstrap
from services.common import keys
from services.settings import Settings

pytestmark = pytest.mark.integration

HAPPENED = (
    UserEvent("ann", "tea", "click", 3000, 1.0, "list-1"),
    UserEvent("bob:1", "rice", "purchase", 1000, 2.5),
    UserEvent("ann", "tea", "impression", 2000, attribution_token="list-1"),
    UserEvent("ann", "milk", "cart", 1500, 4.0, "list-1"),
    UserEvent("bob:1", "salt", "impression", 1700, attribution_token="list-2"),
    UserEvent("ann", "rice", "impression", 2000, attribution_token="list-1"),
)


@pytest.fixture
def filled(redis_url: str) -> str:
    settings = Settings.model_validate({"redis_url": redis_url, "_env_file": None})
    bootstrap.user_service(settings).record_user_events(HAPPENED, 2.0)
    return redis_url


def export(redis_url: str, out: Path, *more: str) -> list[tuple[Any, ...]]:
    """Rows of the file that the command writes; `at` in milliseconds."""
    assert export_events.main(["--redis", redis_url, "--out", str(out), *more]) == 0
    table = pq.read_table(out)
    assert table.schema.names == [*EVENTS.names, "token"]
    assert table.schema.field("at").type == EVENTS.field("at").type
    at = table.schema.get_field_index("at")
    in_ms = table.set_column(at, "at", table.column("at").cast(pa.int64()))
    return [tuple(row.values()) for row in in_ms.to_pylist()]


def test_live_events_of_all_shoppers_are_sorted_by_time_with_their_tokens(
    filled: str, tmp_path: Path
) -> None:
    assert export(filled, tmp_path / "events.parquet") == [
        ("bob:1", "rice", "purchase", 1000, 2.5, ""),
        ("ann", "milk", "cart", 1500, 4.0, "list-1"),
        ("ann", "tea", "click", 3000, 1.0, "list-1"),
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["events.parquet"]


def test_impressions_are_exported_apart_in_pages(
    filled: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_events, "PAGE", 2)
    assert export(filled, tmp_path / "shown.parquet", "--impressions") == [
        ("bob:1", "salt", "impression", 1700, 1.0, "list-2"),
        ("ann", "tea", "impression", 2000, 1.0, "list-1"),
        ("ann", "rice", "impression", 2000, 1.0, "list-1"),
    ]


def test_an_empty_shop_gives_an_empty_file(redis_url: str, tmp_path: Path) -> None:
    assert export(redis_url, tmp_path / "none.parquet") == []
    assert export(redis_url, tmp_path / "none.parquet", "--impressions") == []


def test_what_cannot_be_done_is_one_line(
    filled: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "events.parquet"
    nowhere = ["--redis", "redis://127.0.0.1:1/0", "--out", str(out)]
    assert export_events.main(nowhere) == 1
    assert export_events.main(["--redis", filled, "--out", str(tmp_path / "no" / "e.parquet")]) == 1
    redis.Redis.from_url(filled).zadd(keys.live_acts("eve"), {b"12345678not packed": 1})
    assert export_events.main(["--redis", filled, "--out", str(out)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 3
    assert all(line.startswith("error: ") for line in lines)
    assert "no folder" in lines[1]
    assert "ecrs:ev:a:eve" in lines[2]
    assert not out.exists()
