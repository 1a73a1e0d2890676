from __future__ import annotations

import gzip
from datetime import datetime
from pathlib import Path

import pytest
from data_files import JDATA, Run

pytestmark = pytest.mark.unit


def test_the_files_become_canonical_tables(jdata: Path, run: Run) -> None:
    result = run("jdata", "--path", jdata)
    assert result.code == 0
    assert result.rows("users")[0] == {
        "user_id": "1",
        "age": "5",
        "sex": "1",
        "city_level": "5",
        "province": "20",
        "city": "176",
        "country": "1933",
        "level": "3",
    }
    assert result.column("users", "age") == ["5", None]
    assert result.rows("items")[0] == {
        "item_id": "1",
        "title": "Category 70, brand 3456, no. 1",
        "category_path": ["70"],
        "brand": "3456",
        "shop": "6980",
        "price": None,
        "available": True,
        "listed_at": datetime(2015, 11, 2, 16, 2, 32),  # noqa: DTZ001
        "description": None,
        "url": None,
        "image_url": None,
        "variant_of": None,
        "shop_score": 9.25,
    }
    assert [(row["user_id"], row["item_id"], row["type"]) for row in result.rows("events")] == [
        ("1", "1", "view"),
        ("2", "1", "cart"),
        ("1", "2", "purchase"),
    ]


def test_who_acts_without_a_profile_and_what_has_no_details_is_kept(jdata: Path, run: Run) -> None:
    (jdata / "jdata_action.csv").write_text(JDATA["jdata_action.csv"] + "9.0,8,2018-02-03 10:00:00,8,1\n")
    result = run("jdata", "--path", jdata)
    assert result.rows("users")[-1]["user_id"] == "9"
    assert result.rows("users")[-1]["age"] is None
    assert (result.rows("items")[-1]["item_id"], result.rows("items")[-1]["available"]) == ("8", False)
    assert result.report["notes"] == {"users_without_profile": 1, "items_without_details": 1}


def test_each_bad_row_is_listed_with_file_line_and_reason(jdata: Path, run: Run) -> None:
    with (jdata / "jdata_user.csv").open("a") as file:
        file.write("1.0,5,1,,1,1,1,1,1\n,5,1,,1,1,1,1,1\n3,5\n")
    with (jdata / "jdata_product.csv").open("a") as file:
        file.write("3,1,1,1,last year\n")
    with (jdata / "jdata_action.csv").open("a") as file:
        file.write("1,1,2018-02-30 10:00:00,8,1\n1,1,2018-02-03 10:00:00,8,7\n,1,2018-02-03 10:00:00,8,1\n")
    result = run("jdata", "--path", jdata, "--max-reject-rate", "0.9")
    assert result.code == 0
    assert sorted(row[:3] for row in result.rejects) == [
        ["jdata_action.csv", "5", "bad action_time"],
        ["jdata_action.csv", "6", "bad type"],
        ["jdata_action.csv", "7", "no user_id"],
        ["jdata_product.csv", "4", "bad market_time"],
        ["jdata_user.csv", "4", "duplicate user_id"],
        ["jdata_user.csv", "5", "no user_id"],
        ["jdata_user.csv", "6", "2 columns instead of 9"],
    ]
    counts = result.report["tables"]["users"]
    assert (counts["read"], counts["kept"], counts["rejected"]) == (5, 2, 3)
    assert len(result.report["first_rejects"]) == 7


def test_an_event_file_without_events_is_told(jdata: Path, run: Run) -> None:
    (jdata / "jdata_action.csv").write_text("user_id,sku_id,action_time,module_id,type\n")
    result = run("jdata", "--path", jdata)
    assert result.code == 2
    assert "jdata_action.csv:1: no rows behind the header" in result.stderr


def test_packed_files_and_a_missing_shop_file_are_fine(jdata: Path, run: Run) -> None:
    (jdata / "jdata_shop.csv").unlink()
    action = jdata / "jdata_action.csv"
    (jdata / "jdata_action.csv.gz").write_bytes(gzip.compress(action.read_bytes()))
    action.unlink()
    result = run("jdata", "--path", jdata)
    assert len(result.rows("events")) == 3
    assert result.column("items", "shop_score") == [None, None]
