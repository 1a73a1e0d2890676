"""JData of 2016 is read, and of every other layout one line says what it is."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from data_files import JDATA, Run

pytestmark = pytest.mark.unit

JDATA_2016 = {
    "JData_User.csv": "user_id,age,sex,user_lv_cd,user_reg_tm\n"
    "200001,56岁以上,2.0,5,2016-01-26\n"
    "200002,-1,-1.0,1,2016-01-26\n"
    "266079,26-35岁,0.0,3,\n",
    "JData_Product.csv": "sku_id,a1,a2,a3,cate,brand\n10,3,1,1,8,489\n100002,3,-1,2,8,489\n",
    "JData_Comment.csv": "dt,sku_id,comment_num,has_bad_comment,bad_comment_rate\n2016-02-01,10,3,1,0.04\n",
    "JData_Action_201602.csv": "user_id,sku_id,time,model_id,type,cate,brand\n"
    "266079.0,138778,2016-01-31 23:59:02,,1,8,403\n"
    "266079.0,138778,2016-01-31 23:59:03,0.0,6,8,403\n"
    "200002.0,10,2016-02-01 10:00:00,14,2,8,489\n"
    "200002.0,10,2016-02-01 10:00:05,,3,8,489\n",
    "JData_Action_201603.csv": "user_id,sku_id,time,model_id,type,cate,brand\n"
    "200001.0,10,2016-03-01 10:00:00,,4,8,489\n"
    "200009.0,10,2016-03-02 10:00:00,,5,8,489\n",
}


@pytest.fixture
def jdata_2016(raw: Path) -> Path:
    for name, text in JDATA_2016.items():
        (raw / name).write_bytes(text.encode("gbk"))
    return raw


def test_the_files_of_2016_become_canonical_tables(jdata_2016: Path, run: Run) -> None:
    result = run("jdata", "--path", jdata_2016)
    assert result.code == 0, result.stderr
    assert result.rows("users") == [
        {"user_id": "200001", "age": "over 55", "sex": "2", "level": "5"},
        {"user_id": "200002", "age": None, "sex": None, "level": "1"},
        {"user_id": "266079", "age": "26-35", "sex": "0", "level": "3"},
        {"user_id": "200009", "age": None, "sex": None, "level": None},
    ]
    items = result.rows("items")
    assert [(item["item_id"], item["available"], item["brand"]) for item in items] == [
        ("10", True, "489"),
        ("100002", True, "489"),
        ("138778", False, "403"),
    ]
    assert (items[1]["a1"], items[1]["a2"], items[1]["a3"]) == ("3", None, "2")
    assert items[2]["category_path"] == ["8"]
    assert [(event["user_id"], event["item_id"], event["type"]) for event in result.rows("events")] == [
        ("266079", "138778", "view"),
        ("266079", "138778", "click"),
        ("200002", "10", "cart"),
        ("200001", "10", "purchase"),
        ("200009", "10", "favorite"),
    ]
    counts = result.report["tables"]["events"]
    assert (counts["read"], counts["kept"], counts["left_out"]) == (6, 5, {"taken out of the cart": 1})
    assert counts["lines"] == 8
    assert 'title = "JData 2016"' in (result.folder / "dataset.toml").read_text()


def test_copies_in_utf_8_and_packed_ones_read_the_same(jdata_2016: Path, run: Run) -> None:
    (jdata_2016 / "JData_User.csv").write_text(JDATA_2016["JData_User.csv"], encoding="utf-8")
    packed = jdata_2016 / "JData_Action_201602.csv"
    packed.with_suffix(".csv.gz").write_bytes(gzip.compress(packed.read_bytes()))
    packed.unlink()
    result = run("jdata", "--path", jdata_2016)
    assert result.column("users", "age") == ["over 55", None, "26-35", None]
    assert len(result.rows("events")) == 5


def test_each_bad_row_of_2016_is_listed(jdata_2016: Path, run: Run) -> None:
    with (jdata_2016 / "JData_Action_201603.csv").open("a") as file:
        file.write("200001.0,10,2016-03-01 10:00:00,,7,8,489\n")
    result = run("jdata", "--path", jdata_2016, "--max-reject-rate", "0.2")
    assert [row[:3] for row in result.rejects] == [["JData_Action_201603.csv", "4", "bad type"]]


UNDERSTOOD = "understood are 2016 (JData_User, JData_Product, JData_Action_<month>.csv with a column time)"


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ({}, "no file jdata_user.csv; found 'nothing'; " + UNDERSTOOD),
        (
            {"jdata_user_basic_info.csv": "user_id\n", "jdata_sku_basic_info.csv": "sku_id,price\n"},
            "jdata_sku_basic_info.csv is of JData 2018, which is not understood",
        ),
        ({"JData_User.csv": "a", "jdata_product.csv": "a"}, "no file jdata_action.csv; found"),
        (
            {**JDATA, "jdata_action.csv": "uid,sku,ts\n1,2,3\n"},
            "jdata_action.csv:1: the columns 'uid, sku, ts' are of no JData layout; " + UNDERSTOOD,
        ),
        ({**JDATA_2016, "jdata_action.csv": JDATA["jdata_action.csv"]}, "has the layout of JData 2019"),
        (
            {**JDATA, "JData_User.csv": "a"},
            "holds JData_User.csv and jdata_user.csv; leave one",
        ),
        (
            {**JDATA_2016, "JData_Product.csv": "sku_id,cate\n1,2\n"},
            "column 'a1' is missing; found",
        ),
    ],
)
def test_another_layout_is_told_in_one_line(files: dict[str, str], told: str, raw: Path, run: Run) -> None:
    for name, text in files.items():
        (raw / name).write_bytes(text.encode("gbk"))
    result = run("jdata", "--path", raw)
    assert result.code == 2
    assert result.stderr.count("\n") == 1
    assert told in result.stderr
