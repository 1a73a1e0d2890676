"""Events of the running shop, joined to those of a source."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import Run

from data.canonical import EVENTS

pytestmark = pytest.mark.unit

DAY = datetime(2018, 3, 1)  # noqa: DTZ001 - the tables have no zone


def recorded(file: Path, rows: list[tuple[str | None, str, str, datetime, float]]) -> Path:
    """A file as `scripts.export_events` writes it, with its further column."""
    columns = list(zip(*rows, strict=True))
    schema = pa.schema([field.with_nullable(True) for field in EVENTS])
    table = pa.table(
        [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)], schema
    )
    file.parent.mkdir(exist_ok=True)
    pq.write_table(table.append_column("token", pa.array(["t"] * len(rows))), file)
    return file.parent


def test_recorded_events_follow_those_of_the_source_with_their_users_and_items(
    jdata: Path, run: Run, tmp_path: Path
) -> None:
    folder = recorded(tmp_path / "events" / "b.parquet", [("2", "1", "purchase", DAY, 3.5)])
    recorded(folder / "a.parquet", [("new", "7.0", "view", DAY.replace(year=2017), 1.0)])
    alone = run("jdata", "--path", jdata)
    count = len(alone.rows("events"))
    joined = run("jdata", "--path", jdata, "--events", folder)
    assert joined.code == 0, joined.stderr
    events = joined.rows("events")
    assert len(events) == count + 2
    assert events[0] == {
        "user_id": "new", "item_id": "7", "type": "view", "at": DAY.replace(year=2017), "value": 1.0,
    }  # fmt: skip
    assert events[-1]["value"] == 3.5
    assert "new" in joined.column("users", "user_id")
    assert "7" in joined.column("items", "item_id")
    assert joined.report["notes"]["recorded_events"] == 2
    recorded(folder / "c.parquet", [("2", "1", "view", DAY, 1.0)])
    assert len(run("jdata", "--path", jdata, "--events", folder).rows("events")) == count + 3


def test_a_recorded_event_far_from_all_others_is_rejected_with_its_file_and_row(
    run: Run, tmp_path: Path
) -> None:
    many = [("1", "1", "view", DAY, 1.0)] * 200
    (tmp_path / "e.csv").write_text(
        "user,item,at\n" + "".join(f"{n % 9},{n % 7},2018-02-0{1 + n % 9}T10:00\n" for n in range(50))
    )
    mapping = tmp_path / "m.toml"
    mapping.write_text(
        '[dataset]\nname = "m"\ntitle = "M"\ncurrency = "EUR"\n'
        '[events]\nfile = "e.csv"\nuser_id = "user"\nitem_id = "item"\ntime = "at"\n'
        'type_constant = "purchase"\n'
    )
    folder = recorded(
        tmp_path / "events" / "a.parquet", [*many, ("1", "1", "view", DAY.replace(year=2099), 1.0)]
    )
    result = run("mapping", "--mapping", mapping, "--events", folder, "--max-reject-rate", "0.1")
    assert result.code == 0, result.stderr
    assert len(result.rows("events")) == 250
    (rejected,) = result.rejects
    assert rejected[:3] == ["a.parquet", "201", "time far from all others"]


def test_files_that_are_no_recorded_events_are_one_line(jdata: Path, run: Run, tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "junk").mkdir()
    (tmp_path / "junk" / "a.parquet").write_bytes(b"junk" * 9)
    pq.write_table(pa.table({"user_id": ["1"]}), tmp_path / "narrow.parquet")
    shown = recorded(tmp_path / "shown" / "a.parquet", [("1", "1", "impression", DAY, 1.0)])
    nobody = recorded(tmp_path / "nobody" / "a.parquet", [(None, "1", "view", DAY, 1.0)])
    for place, message in (
        (tmp_path / "empty", "no .parquet file"),
        (tmp_path / "junk", "a.parquet"),
        (tmp_path / "nowhere.parquet", "nowhere.parquet: cannot be read"),
        (tmp_path / "narrow.parquet", "has no column 'item_id'"),
        (shown, "type 'impression' is none of"),
        (nobody, "user_id is missing in 1 rows"),
    ):
        result = run("jdata", "--path", jdata, "--events", place)
        assert result.code == 2
        assert result.stderr.count("\n") == 1
        assert message in result.stderr
        assert not result.folder.exists()
