"""Excel, JSON lines, packed text, encodings and queries: the same rows as from plain text, or one line."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import sqlite3
import zipfile
from contextlib import closing
from datetime import datetime
from pathlib import Path

import openpyxl
import pyarrow as pa
import pytest
from data_files import Prepared, Run

from data.readers.encoding import guessed

pytestmark = pytest.mark.unit

MAPPING = """
[dataset]
name = "shop"
title = "Shop"
[events]
file = "FILE"
user_id = "who"
item_id = "what"
time = "when"
type_constant = "purchase"
value = "paid"
"""
LOG = "who,what,when,paid\n5,a,2024-01-02 10:00:00,9.5\n6,b,2024-01-03,\n"


def prepared(raw: Path, run: Run, file: str, extra: str = "", mapping: str = MAPPING) -> Prepared:
    (raw / "shop.toml").write_text(mapping.replace("FILE", file) + extra, "utf-8")
    return run("mapping", "--mapping", raw / "shop.toml")


def is_log(result: Prepared) -> None:
    assert result.code == 0, result.stderr
    assert [
        (row["user_id"], row["item_id"], str(row["at"]), row["value"]) for row in result.rows("events")
    ] == [
        ("5", "a", "2024-01-02 10:00:00", 9.5),
        ("6", "b", "2024-01-03 00:00:00", 1.0),
    ]


def one_line(result: Prepared, told: str) -> None:
    assert (result.code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr


@pytest.mark.parametrize("name", ["log.csv.gz", "log.csv.bz2", "log.csv.xz", "log.csv.zst", "log.zip"])
def test_packed_text_is_read_and_a_damaged_file_told(name: str, raw: Path, run: Run) -> None:
    path = raw / name
    if path.suffix == ".zip":
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("export/log.csv", LOG)
    elif path.suffix == ".zst":
        with pa.CompressedOutputStream(str(path), "zstd") as out:
            out.write(LOG.encode())
    else:
        pack = {".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}[path.suffix]
        path.write_bytes(pack(LOG.encode()))
    is_log(prepared(raw, run, name))
    path.write_bytes(path.read_bytes()[:-9])
    one_line(prepared(raw, run, name), name)
    path.write_bytes(b"not packed at all, whatever the name says")
    one_line(prepared(raw, run, name), name)


def test_one_file_or_several_are_chosen_inside_a_zip(raw: Path, run: Run) -> None:
    head, *rows = LOG.splitlines(keepends=True)
    with zipfile.ZipFile(raw / "all.zip", "w") as archive:
        for number, row in enumerate(rows):
            archive.writestr(f"log-{number}.csv", head + row)
        archive.writestr("readme.txt", "nothing")
    one_line(prepared(raw, run, "all.zip"), "holds 3 files instead of one")
    one_line(prepared(raw, run, "all.zip", 'member = "x*"\n'), "no file in it fits 'x*'")
    is_log(prepared(raw, run, "all.zip", 'member = "log-*.csv"\n'))


def test_excel_keeps_times_and_ids_and_skips_empty_rows(raw: Path, run: Run) -> None:
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Notes"
    orders = book.create_sheet("Orders")
    for row in (
        ("who", "what", "when", "paid"),
        (5.0, "a", datetime(2024, 1, 2, 10), 9.5),  # noqa: DTZ001 - Excel knows no zones
        (None, None, None, None),
        ("6", "b", "2024-01-03", "#N/A"),
    ):
        orders.append(row)
    book.save(raw / "orders.xlsx")
    is_log(prepared(raw, run, "orders.xlsx", 'sheet = "Orders"\ndecimal = ","\n'))
    one_line(
        prepared(raw, run, "orders.xlsx", 'sheet = "Order"\n'), "no sheet 'Order'; found 'Notes, Orders'"
    )
    one_line(prepared(raw, run, "orders.xlsx"), "the sheet is empty")
    orders.append((7, "c", "soon", 1))
    book.save(raw / "orders.xlsx")
    one_line(prepared(raw, run, "orders.xlsx", 'sheet = "Orders"\n'), "orders.xlsx:5: 1 of 3 rows of events")


def test_an_excel_file_that_is_none_or_a_bomb_is_told(raw: Path, run: Run) -> None:
    (raw / "orders.xlsx").write_bytes(b"who,what\n")
    one_line(prepared(raw, run, "orders.xlsx"), "no readable Excel file")
    book = openpyxl.Workbook()
    assert book.active is not None
    book.active.append(("who", "what", "when", "paid"))
    book.save(raw / "good.xlsx")
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">]>'
    with zipfile.ZipFile(raw / "good.xlsx") as good, zipfile.ZipFile(raw / "orders.xlsx", "w") as bomb:
        for name in good.namelist():
            text = good.read(name)
            if name == "xl/worksheets/sheet1.xml":
                text = entities.encode() + text.replace(b"<sheetData>", b"<sheetData>&b;")
            bomb.writestr(name, text)
    one_line(prepared(raw, run, "orders.xlsx"), "no readable Excel file")


def test_json_lines_are_read_by_dotted_names(raw: Path, run: Run) -> None:
    records = [
        {"user": {"id": 5}, "what": "a", "when": "2024-01-02T10:00:00", "paid": 9.5, "more": [1]},
        {"user.id": 6.0, "what": "b", "when": "2024-01-03", "paid": None},
    ]
    text = "\n\n".join(json.dumps(record) for record in records)
    (raw / "log.jsonl").write_text(text)
    named = MAPPING.replace('"who"', '"user.id"')
    is_log(prepared(raw, run, "log.jsonl", mapping=named))
    (raw / "log.ndjson.gz").write_bytes(gzip.compress(text.encode()))
    is_log(prepared(raw, run, "log.ndjson.gz", mapping=named))
    one_line(
        prepared(raw, run, "log.jsonl", mapping=named.replace("user.id", "user.key")),
        "'user.key' is in no line",
    )
    (raw / "log.jsonl").write_text(text + '\n[1]\n{"cut": \n')
    result = prepared(raw, run, "log.jsonl", mapping=named)
    one_line(result, "log.jsonl:4: 2 of 4 rows of events rejected")
    assert "2 no JSON object" in result.stderr
    result = run("mapping", "--mapping", raw / "shop.toml", "--max-reject-rate", "0.5")
    counts = result.report["tables"]["events"]
    assert [counts[key] for key in ("lines", "ignored", "kept", "rejected")] == [5, 1, 2, 2]


@pytest.mark.parametrize(
    ("text", "encoding", "name"),
    [
        ("客户,商品名称\n张三,红色连衣裙\n李四,男士运动鞋\n", "gbk", "gb18030"),
        ("商品名稱,使用者\n藍牙耳機,運動鞋\n紅色洋裝,購買時間\n", "big5", "big5"),
        ("商品名,ユーザー\n赤いドレス,ブルートゥース\n運動靴\n", "cp932", "cp932"),
        ("Товар,Покупатель\nКрасное платье,Иванов\n", "cp1251", "cp1251"),
        ("Größe;Käse;Brötchen;süß\nÖl für Gäste;Tür;Straße\n", "latin-1", "cp1252"),
    ],
)
def test_an_encoding_is_recognised_where_it_is_sure(text: str, encoding: str, name: str) -> None:
    assert guessed(text.encode(encoding)) == (name, True)


def test_a_file_in_another_encoding_is_read_by_auto_and_else_told(raw: Path, run: Run) -> None:
    lines = "who,what,when,paid\n" + "".join(f"张三{n},红色连衣裙,2024-01-02,1\n" for n in range(9))
    (raw / "log.csv").write_bytes(lines.encode("gbk"))
    one_line(prepared(raw, run, "log.csv"), 'is not UTF-8, but probably gb18030: say encoding = "gb18030"')
    result = prepared(raw, run, "log.csv", 'encoding = "auto"\n')
    assert set(result.column("events", "item_id")) == {"红色连衣裙"}
    (raw / "log.csv").write_bytes(LOG.encode("utf-16"))
    is_log(prepared(raw, run, "log.csv", 'encoding = "auto"\n'))
    (raw / "log.csv").write_bytes(LOG.replace("6,b", "6,Bär").encode("latin-1"))
    one_line(prepared(raw, run, "log.csv", 'encoding = "auto"\n'), "is not UTF-8, but probably")


SQL = MAPPING.replace('file = "FILE"', 'sql = "SELECT * FROM log"\nurl = "sqlite:///shop.db"')


def test_a_query_reads_sqlite_beside_the_mapping(raw: Path, run: Run) -> None:
    with closing(sqlite3.connect(raw / "shop.db")) as database:
        database.execute('CREATE TABLE log (who REAL, what TEXT, "when" TEXT, paid)')
        database.execute(
            "INSERT INTO log VALUES (5, 'a', '2024-01-02 10:00:00', 9.5), (6, 'b', '2024-01-03', NULL)"
        )
        database.commit()
    is_log(prepared(raw, run, "", mapping=SQL))


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('url = "sqlite:///shop.db"', "", "url: give the database's address"),
        ('url = "sqlite:///shop.db"', 'url = "mysql://u:p@h/d"', "holds a password"),
        ('url = "sqlite:///shop.db"', 'url = "oracle://h/d"', "oracle:// is not known"),
        ('url = "sqlite:///shop.db"', 'url = "shop.db"', "no address of a database"),
        ('url = "sqlite:///shop.db"', 'url_env = "ECRS_TEST_NO_SUCH"', "ECRS_TEST_NO_SUCH: this environment"),
        ("sqlite:///shop.db", "sqlite:///none.db", "none.db: no such SQLite file"),
        ("sql = ", 'file = "a.csv"\nsql = ', "give file or sql, but not both"),
    ],
)
def test_a_wrong_address_is_told_in_one_line(old: str, new: str, told: str, raw: Path, run: Run) -> None:
    one_line(prepared(raw, run, "", mapping=SQL.replace(old, new)), told)
    assert not (raw / "none.db").exists()
