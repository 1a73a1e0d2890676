"""First mappings for files as shops export them, and the look at what a mapping makes of them."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from data.dataset import read_toml
from data.mapping.__main__ import main

pytestmark = pytest.mark.unit


def init(folder: Path, **files: str) -> dict[str, Any]:
    """The mapping that init writes for these files; it must be one that `check` takes."""
    paths = []
    for name, text in files.items():
        paths.append(folder / name.replace("__", "."))
        paths[-1].write_text(text, "utf-8")
    assert main(["init", *map(str, paths)]) == 0
    assert main(["check", str(folder / "shop.toml")]) == 0
    return read_toml(folder / "shop.toml")


def test_invoices_with_returns_guests_and_postage(tmp_path: Path) -> None:
    lines = [
        "489434,85048,GLASS BALL,12,2009-12-01 07:45:00,6.95,13085.0,United Kingdom",
        "489435,22350,CAT BOWL ,12,2009-12-01 07:46:00,2.55,,United Kingdom",
        "C489449,22087,PAPER BUNTING,-12,2009-12-01 10:33:00,2.95,16321.0,Australia",
        "489436,POST,POSTAGE,3,2009-12-01 09:06:00,18.0,13078.0,France",
        "489437,22350,CAT BOWL,1,2009-12-01 09:08:00,2.55,13085.0,United Kingdom",
        *[f"4895{n},2{n}00,THING {n},1,2009-12-02 09:08:00,2.55,13078.0,France" for n in range(10, 20)],
    ]
    header = "Invoice,StockCode,Description,Quantity,InvoiceDate,Price,Customer ID,Country\n"
    found = init(tmp_path, invoices__csv=header + "\n".join(lines) + "\n")
    events = found["events"]
    assert [events[key] for key in ("user_id", "item_id", "time")] == [
        "Customer ID",
        "StockCode",
        "InvoiceDate",
    ]
    assert events["value"] == {"product": ["Quantity", "Price"]}
    assert events["where"] == [{"column": "Customer ID", "known": True}]
    assert events["returns"]["when"] == [
        {"column": "Invoice", "matches": "C*"},
        {"column": "Quantity", "below": 0},
    ]
    assert found["items"]["exclude"] == {"item_id": ["POST"]}
    assert found["users"]["feature"] == [{"name": "country", "column": "Country"}]


def test_an_order_export_with_line_items(tmp_path: Path) -> None:
    header = (
        "Name,Email,Financial Status,Total,Created at,"
        "Lineitem quantity,Lineitem name,Lineitem price,Lineitem sku\n"
    )
    rows = (
        "#1001,a@x.de,paid,48.00,2024-01-05 09:59:00 +0100,2,Red Mug,10.00,MUG-1\n"
        "#1001,a@x.de,,,2024-01-05 09:59:00 +0100,1,Blue Mug,20.00,MUG-2\n"
        "#1002,b@x.de,refunded,18.00,2024-01-06 09:59:00 +0100,1,Red Mug,10.00,MUG-1\n"
    )
    events = init(tmp_path, orders__csv=header + rows)["events"]
    assert [events[key] for key in ("user_id", "item_id", "time")] == ["Email", "Lineitem sku", "Created at"]
    assert events["time_format"] == "%Y-%m-%d %H:%M:%S %z"
    assert events["value"] == {"product": ["Lineitem quantity", "Lineitem price"]}
    assert 'is = ["paid", "refunded"]' in (tmp_path / "shop.toml").read_text("utf-8")


def test_an_id_that_stands_for_all_guests_is_no_shopper(tmp_path: Path) -> None:
    header = "Order ID,Order Date,Customer User ID,Product ID,Item Name,Quantity,Item Cost\n"
    rows = "501,2024-03-01 12:00,12,77,Shirt,2,9.90\n502,2024-03-02 12:00,0,78,Hat,1,9.90\n"
    events = init(tmp_path, orders__csv=header + rows)["events"]
    assert events["where"] == [{"column": "Customer User ID", "is_not": "0"}]


def test_three_german_files_are_told_apart_by_the_ids_they_share(tmp_path: Path) -> None:
    found = init(
        tmp_path,
        kunden__csv="nr;region;alter\nK-17;north;44\nK-20;south;30\n",
        artikel__csv="artnr;bezeichnung;warengruppe;preis;lieferbar\nA-203;Öl;Pantry > Oil;12,90;ja\n",
        belege__csv="datum;kunde;artikel;vorgang;betrag\n31.01.2024 18:05;K-17;A-203;gekauft;12,90\n"
        "31.01.2024 18:07;K-20;A-118;angesehen;\n31.01.2024 18:09;K-20;A-118;gescrollt;\n",
    )
    assert found["events"]["types"] == {"gekauft": "purchase", "angesehen": "view"}
    assert found["events"]["ignore"] == ["gescrollt"]
    assert [found["events"][key] for key in ("delimiter", "decimal", "time_format", "value")] == [
        *(";", ",", "%d.%m.%Y %H:%M", "betrag")
    ]
    assert found["items"]["item_id"] == "artnr"
    assert (found["items"]["category_separator"], found["items"]["available_values"]) == (">", ["ja"])
    assert (found["users"]["user_id"], len(found["users"]["feature"])) == ("nr", 2)


def test_ratings_and_films(tmp_path: Path) -> None:
    found = init(
        tmp_path,
        ratings__csv="userId,movieId,rating,timestamp\n1,1,4.0,964982703\n2,3,4.5,964981247\n",
        movies__csv="movieId,title,genres\n1,Toy Story (1995),Action|Comedy\n3,Old Men,Comedy|Drama\n",
    )
    assert found["dataset"]["positive"] == ["rate"]
    assert (found["events"]["type_constant"], found["events"]["time_format"]) == ("rate", "epoch_s")
    assert found["items"]["feature"] == [{"name": "genres", "kind": "multi"}]


def test_nested_json_lines_packed(tmp_path: Path) -> None:
    records = [
        {"ts": 1718000000123, "event": kind, "user": {"id": "u1"}, "product": {"sku": "A1", "price": 9.9}}
        for kind in ("page_view", "add_to_cart", "purchase")
    ]
    with gzip.open(tmp_path / "log.jsonl.gz", "wt") as file:
        file.writelines(json.dumps(record) + "\n" for record in records)
    assert main(["init", str(tmp_path / "log.jsonl.gz")]) == 0
    assert main(["check", str(tmp_path / "shop.toml")]) == 0
    events = read_toml(tmp_path / "shop.toml")["events"]
    assert [events[key] for key in ("user_id", "item_id", "time")] == ["user.id", "product.sku", "ts"]
    assert events["types"] == {"page_view": "view", "add_to_cart": "cart", "purchase": "purchase"}


def test_files_of_the_same_columns_are_one_table_and_a_file_may_have_no_header(tmp_path: Path) -> None:
    lines = {"a__txt": "1::31::4.0::964982703\n1::32::3.0::964982704\n", "b__txt": "2::31::4.0::964982703\n"}
    paths = [tmp_path / name.replace("__", ".") for name in lines]
    for path, text in zip(paths, lines.values(), strict=True):
        path.write_text(text)
    assert main(["init", *map(str, paths)]) == 2  # no names: nothing tells the shopper from the product
    named = {name: "user::item::stars::ts\n" + text for name, text in lines.items()}
    found = init(tmp_path, **named)
    assert found["events"]["file"] == ["a.txt", "b.txt"]
    assert (found["events"]["delimiter"], found["events"]["quoted"]) == ("::", False)


def test_an_encoding_that_is_not_sure_is_written_with_a_question(tmp_path: Path) -> None:
    rows = "1,Crème brûlée,2024-01-02\n2,Théière,2024-01-03\n1,Hôtel à Noël,2024-01-04\n"
    (tmp_path / "ventes.csv").write_bytes(("client,product,date\n" + rows).encode("cp1252"))
    assert main(["init", str(tmp_path / "ventes.csv")]) == 0
    assert 'encoding = "cp1252"  # probably' in (tmp_path / "shop.toml").read_text("utf-8")
    assert main(["check", str(tmp_path / "shop.toml")]) == 0


def test_parquet_is_looked_at_too(tmp_path: Path) -> None:
    times = pa.array([1_700_000_000_000, 1_700_000_001_000], pa.timestamp("ms"))
    columns = {"user": ["u", "v"], "item": [1, 2], "ts": times}
    pq.write_table(pa.table(columns), tmp_path / "log.parquet")
    assert main(["init", str(tmp_path / "log.parquet")]) == 0
    assert main(["check", str(tmp_path / "shop.toml")]) == 0
    events = read_toml(tmp_path / "shop.toml")["events"]
    assert [events[key] for key in ("user_id", "item_id", "time")] == ["user", "item", "ts"]


def test_day_and_month_that_cannot_be_told_apart_are_asked_for(tmp_path: Path) -> None:
    rows = "".join(f"11/{day}/2000,u{day},i{day % 3}\n" for day in range(1, 9))
    found = init(tmp_path, sales__csv="date,customer,product\n" + rows)
    assert found["events"]["time_format"] == "%m/%d/%Y"
    assert "or %d/%m/%Y?" in (tmp_path / "shop.toml").read_text("utf-8")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"just\nsome\nwords\n", "no delimiter found"),
        (b"colour,size\nred,1\nblue,2\n", "no file has columns like shopper, product and time"),
    ],
)
def test_what_is_no_table_of_events_is_told_in_one_line(
    content: bytes, told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "x.csv").write_bytes(content)
    assert main(["init", str(tmp_path / "x.csv")]) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert not (tmp_path / "shop.toml").exists()


def test_a_mapping_is_not_overwritten_unasked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "log.csv").write_text("user,item,date\n1,2,2024-01-01\n1,3,2024-01-01\n2,3,2024-01-01\n")
    (tmp_path / "shop.toml").write_text("mine")
    assert main(["init", str(tmp_path / "log.csv")]) == 2
    assert "is there already" in capsys.readouterr().err
    assert (tmp_path / "shop.toml").read_text() == "mine"
    assert main(["init", str(tmp_path / "log.csv"), "--force"]) == 0


MAPPING = """
[dataset]
name = "shop"
title = "Shop"
[events]
file = "log.csv"
user_id = "who"
item_id = "what"
time = "when"
type_constant = "purchase"
where = [{ column = "what", is_not = "x" }]
"""


def test_check_shows_rows_counts_and_reasons_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "shop.toml").write_text(MAPPING)
    (tmp_path / "log.csv").write_text("who,what,when\nu,a,2024-01-01\nu,x,2024-01-01\nu,b,soon\n")
    before = sorted(tmp_path.iterdir())
    assert main(["check", str(tmp_path / "shop.toml")]) == 2
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    assert "u a purchase 2024-01-01 00:00:00 1" in shown
    assert "events 1 3 1 1 1 not (what is not x), 1 bad when" in shown
    assert "log.csv:4: bad when: 'u,b,soon'" in shown
    assert "prepare would stop" in shown
    assert main(["check", str(tmp_path / "shop.toml"), "--max-reject-rate", "0.5"]) == 0
    assert sorted(tmp_path.iterdir()) == before


def test_check_tells_why_nothing_is_usable(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "shop.toml").write_text(MAPPING)
    (tmp_path / "log.csv").write_text("who,what,when\nu,a,soon\n")
    assert main(["check", str(tmp_path / "shop.toml")]) == 2
    assert "log.csv:2: bad when" in capsys.readouterr().out
    (tmp_path / "log.csv").write_text("who;what;when\nu;a;2024-01-01\n")
    assert main(["check", str(tmp_path / "shop.toml")]) == 2
    captured = capsys.readouterr()
    assert "column 'who' is missing" in captured.err
    assert captured.err.count("\n") == 1
