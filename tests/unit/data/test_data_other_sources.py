"""The original's files, MovieLens and Ta-Feng."""

from __future__ import annotations

import zipfile
from datetime import datetime
from pathlib import Path

import pytest
from data_files import Run

from data.sources.tafeng import COLUMNS

pytestmark = pytest.mark.unit


def test_the_originals_files_are_read_with_5_0_as_5(raw: Path, run: Run) -> None:
    (raw / "users.dat").write_text("1:5.0:1.0:5.0:20.0:176.0:1933.0\n1.0:4:1:5:20:176:1933\n")
    (raw / "products.dat").write_text("1:3456:6980:70\n2:1:1\n")
    result = run("original", "--path", raw, "--max-reject-rate", "0.5")
    assert result.rows("users") == [
        {
            "user_id": "1",
            "age": "5",
            "sex": "1",
            "city_level": "5",
            "province": "20",
            "city": "176",
            "country": "1933",
        }
    ]
    item = result.rows("items")[0]
    assert (item["item_id"], item["brand"], item["shop"], item["category_path"]) == (
        "1",
        "3456",
        "6980",
        ["70"],
    )
    assert sorted(result.rejects) == [
        ["products.dat", "2", "3 columns instead of 4", "2:1:1"],
        ["users.dat", "2", "duplicate user_id", "1.0:4:1:5:20:176:1933"],
    ]


@pytest.mark.parametrize("size", ["100k", "1m"])
def test_both_movielens_formats_give_the_same_tables_with_latin_1_titles(
    size: str, raw: Path, run: Run
) -> None:
    title = "City of Lost Children, The (Cité des enfants perdus, La) (1995)"
    if size == "1m":
        (raw / "users.dat").write_text("1::F::1::10::48067\n")
        (raw / "movies.dat").write_bytes(f"29::{title}::Adventure|Sci-Fi\n".encode("latin-1"))
        (raw / "ratings.dat").write_text("1::29::5::978300760\n")
    else:
        flags = [0, 0, 1, *[0] * 12, 1, 0, 0, 0]
        item = f"29|{title}|01-Jan-1995||http://example.org|{'|'.join(map(str, flags))}\n"
        (raw / "u.user").write_text("1|12|F|K-12 student|48067\n")
        (raw / "u.item").write_bytes(item.encode("latin-1"))
        (raw / "u.data").write_text("1\t29\t5\t978300760\n")
    result = run("movielens", "--path", raw)
    assert result.code == 0
    assert result.rows("users") == [
        {"user_id": "1", "age": "Under 18", "gender": "F", "occupation": "K-12 student", "zip_area": "480"}
    ]
    movie = result.rows("items")[0]
    assert movie["title"] == "The City of Lost Children (Cité des enfants perdus, La) (1995)"
    assert (movie["genres"], movie["category_path"]) == (["Adventure", "Sci-Fi"], ["Adventure"])
    assert (movie["year"], movie["listed_at"]) == ("1995", datetime(1995, 1, 1))  # noqa: DTZ001
    assert result.rows("events") == [
        {
            "user_id": "1",
            "item_id": "29",
            "type": "rate",
            "at": datetime(2000, 12, 31, 22, 12, 40),  # noqa: DTZ001
            "value": 5.0,
        }
    ]


HEADER = ",".join(f'"{name}"' for name in COLUMNS)
LINES = (
    '"11/2/2000","00418683","45-49","115","110411","4710199010372","2","24","30"',
    '"11/1/2000","01104905","35-39","Others","110411","4710199010372","1","24","20"',
    '"11/1/2000","01104905","35-39","Others","100407","4710043654103","3","24","0"',
)


@pytest.mark.parametrize("packed", [True, False])
def test_ta_feng_is_read_plain_or_from_its_zip(packed: bool, raw: Path, run: Run) -> None:
    text = "\ufeff" + "\r\n".join((HEADER, *LINES)) + "\r\n"
    if packed:
        with zipfile.ZipFile(raw / "ta_feng.csv.zip", "w") as archive:
            archive.writestr("ta_feng_all_months_merged.csv", text)
    else:
        (raw / "ta_feng_all_months_merged.csv").write_text(text, encoding="utf-8", newline="")
    result = run("tafeng", "--path", raw)
    assert result.code == 0, result.stderr
    assert result.rows("users") == [
        {"user_id": "00418683", "age_group": "45-49", "pin_code": "115"},
        {"user_id": "01104905", "age_group": "35-39", "pin_code": "Others"},
    ]
    assert [(item["item_id"], item["price"], item["category_path"]) for item in result.rows("items")] == [
        ("4710199010372", 17.5, ["1104", "110411"]),
        ("4710043654103", None, ["1004", "100407"]),
    ]
    assert [(event["at"].day, event["value"]) for event in result.rows("events")] == [
        (1, 20.0),
        (1, 0.0),
        (2, 30.0),
    ]


def test_bad_ta_feng_rows_are_rejected_with_their_line(raw: Path, run: Run) -> None:
    bad = (
        '"13/41/2000","1","45-49","115","1","2","1","1","1"\n'
        '"11/1/2000","1","45-49","115","1","2","one","1","1"\n'
    )
    (raw / "feng.csv").write_text(HEADER + "\n" + LINES[0] + "\n" + bad)
    result = run("tafeng", "--path", raw / "feng.csv", "--max-reject-rate", "0.7")
    assert [row[1:3] for row in result.rejects] == [["3", "bad TRANSACTION_DT"], ["4", "bad AMOUNT"]]
