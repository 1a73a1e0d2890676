"""Malformed files through the real command: exit status, what is kept and rejected, and the one line told."""

from __future__ import annotations

import gzip
import io
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import Run

pytestmark = pytest.mark.unit

MAPPING = """
[dataset]
name = "shop"
title = "My shop"
[events]
file = "FILE"
user_id = "user"
item_id = "item"
time = "when"
value = "paid"
type_constant = "purchase"
[items]
title = "title"
price = "price"
"""
HEADER = "user,item,when,paid,title,price"
ROWS = [f"u{n % 9},i{n % 20},2026-0{1 + n % 6}-1{n % 9},{n % 7}.5,Bear {n % 20},9.90" for n in range(200)]


@dataclass(frozen=True)
class Case:
    """A file, and what the command makes of it. `reasons` None: it stops."""

    name: str
    content: bytes
    kept: int = 0
    reasons: dict[str, int] | None = None
    told: str = ""
    """In the message if it stops, else in the printed report."""
    file: str = "log.csv"
    args: tuple[str, ...] = ()
    mapping: Callable[[str], str] = field(default=lambda text: text)


def sheet(*rows: str, head: str = HEADER, end: str = "\n") -> bytes:
    """The file with these rows behind the 200 sound ones."""
    return (end.join([head, *ROWS, *rows]) + end).encode()


def within(line: str) -> bytes:
    """The file with this line in the middle of it, as line 102."""
    return ("\n".join([HEADER, *ROWS[:100], line, *ROWS[100:]]) + "\n").encode()


def fine(name: str, content: bytes, kept: int = 200, told: str = "", **more: Any) -> Case:
    return Case(name, content, kept, {}, told, **more)


def costs(name: str, line: str, reason: str) -> Case:
    """A line in the middle that is rejected, and nothing else."""
    return Case(name, within(line), 200, {reason: 1}, "every rejected row")


def stops(name: str, content: bytes, told: str, **more: Any) -> Case:
    return Case(name, content, told=told, **more)


def parquet(columns: dict[str, Any]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def archive(**members: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as packed:
        for name, content in members.items():
            packed.writestr(name, content)
    return file.getvalue()


def instead(old: str, new: str) -> Callable[[str], str]:
    """A change of the mapping."""
    return lambda text: text.replace(old, new)


TABLE = {
    "user": ["u1", "u2"],
    "item": ["i1", "i2"],
    "when": ["2026-01-01", "2026-01-02"],
    "paid": [1.5, 2.5],
    "title": ["Bear", "Ball"],
    "price": [9.9, 9.9],
}
ROW = "u1,i1,2026-01-01,1.5,{},9.90"
TIMES = "u1,i1,{},1.5,Bear,9.90"
TWICE = [pa.array(TABLE[name]) for name in (*TABLE, "user")]

CASES = [
    fine("sound", sheet()),
    # Quotes
    costs("a quote at a field's start", ROW.format('"Bear'), "a quote that is not closed"),
    costs("a quote at a line's start", '"' + ROW.format("Bear"), "a quote that is not closed"),
    costs("a quote before the time", 'u1,i1,"2026-01-01,1.5,Bear,9.90', "a quote that is not closed"),
    costs("three quotes", ROW.format('"Bear ""x"'[:-1]), "a quote that is not closed"),
    costs("text behind a quote", 'u1,i1,2026-01-01,1.5,"Bear, b" x,9.90', "text behind a closing quote"),
    Case(
        "a quote that is not closed at the file's end",
        sheet(ROW.format('"Bear'))[:-1],
        200,
        {"a quote that is not closed": 1},
    ),
    Case(
        "two stray quotes far apart",
        sheet(ROW.format('"Bear'), *ROWS[:50], 'u1,i1,2026-01-01,1.5,Bear",9.90'),
        251,
        {"a quote that is not closed": 1},
    ),
    Case(
        "a stray quote before sound quoted texts",
        sheet(ROW.format('"Bear'), *[ROW.format('"Bear, brown"')] * 50),
        250,
        {"a quote that is not closed": 1},
    ),
    fine("quotes inside a text", within(ROW.format('5" nail')), 201),
    fine("quotes around a word", within(ROW.format('"Best" nail')), 201),
    fine("a text of several lines", within(ROW.format('"Bear\n\nwith, comma"')), 201),
    # Characters
    costs("a NUL", ROW.format("Be\0ar"), "NUL character"),
    costs("a NUL among quotes", ROW.format('"Be\0ar"'), "NUL character"),
    costs("an escape code in an id", ROW.format("Bear").replace("i1", "i\x1b1"), "control character in item"),
    fine("an escape code in a title", within(ROW.format("Be\x1bar")), 201, "control characters in title"),
    Case(
        "a character of another encoding",
        sheet().replace(b"Bear 7", b"B\xe4r 7", 1).replace(b"Bear 8,", "Bär 8,".encode()),
        199,
        {"wrong encoding": 1},
    ),
    stops(
        "another encoding", sheet().replace(b"Bear", b"B\xe4r"), 'probably cp1252: say encoding = "cp1252"'
    ),
    stops(
        "the only text beyond ASCII is of another encoding",
        sheet().replace(b"Bear 7", b"B\xe4r 7", 1),
        'probably cp1252: say encoding = "cp1252"',
    ),
    fine("UTF-16", sheet().decode().encode("utf-16")),
    stops("UTF-16 without a mark", sheet().decode().encode("utf-16-be"), "save it as UTF-8"),
    fine("a byte order mark", b"\xef\xbb\xbf" + sheet()),
    stops(
        "an unknown encoding",
        sheet(),
        "unknown encoding",
        mapping=instead("[events]", '[events]\nencoding = "utf-9"'),
    ),
    # Lines
    fine("CRLF", sheet(end="\r\n")),
    fine("CR", sheet(end="\r")),
    fine("blank lines", sheet("", "", "")),
    costs("an endless line", ROW.format("B" * 2_000_000), "line too long"),
    stops("an empty file", b"", "the file is empty"),
    stops("only blank lines", b"\n\n\n", "the file is empty"),
    stops("only a header", HEADER.encode(), "log.csv:1: no rows behind the header"),
    stops("no header", "\n".join(ROWS).encode(), "log.csv:1: column 'user' is missing; found"),
    # Columns
    stops("a column is missing", sheet(head=HEADER.replace("when", "date")), "column 'when' is missing"),
    stops(
        "a column is there twice", sheet(head=HEADER.replace("title", "user")), "column 'user' is there twice"
    ),
    stops("another delimiter", sheet().replace(b",", b";"), "Is the delimiter ',' right?"),
    stops("a quote in the header", sheet(head='"' + HEADER), "a quote that is not closed in the header"),
    costs("too many columns", ROW.format("a,b"), "7 columns instead of 6"),
    costs("too few columns", "u1,i1,2026-01-01", "3 columns instead of 6"),
    stops(
        "a delimiter at each line's end",
        sheet(head=HEADER).replace(b"9.90\n", b"9.90,\n"),
        "rejected (100.0%, allowed 1.0%): 200 7 columns instead of 6",
    ),
    # Times
    costs("the year 1", TIMES.format("0001-01-01"), "when before 1990"),
    costs("the year 1970", TIMES.format("1970-01-01"), "when before 1990"),
    costs("the year 2099", TIMES.format("2099-12-31"), "when in the future"),
    costs("the year 99999", TIMES.format("99999-12-31"), "bad when"),
    costs("30 February", TIMES.format("2026-02-30"), "bad when"),
    costs("no time", TIMES.format(""), "no when"),
    costs("far from all others", TIMES.format("2001-01-01"), "time far from all others"),
    stops(
        "milliseconds read as seconds",
        "\n".join([HEADER, *[TIMES.format(1_767_225_600_000)] * 200]).encode(),
        "bad when",
        mapping=instead('"when"', '"when"\ntime_format = "epoch_s"'),
    ),
    stops(
        "seconds read as milliseconds",
        "\n".join([HEADER, *[TIMES.format(1_767_225_600 + n) for n in range(200)]]).encode(),
        "when before 1990",
        mapping=instead('"when"', '"when"\ntime_format = "epoch_ms"'),
    ),
    # Ids
    costs("an id of 257 bytes", ROW.format("Bear").replace("i1", "i" * 257), "item of more than 256 bytes"),
    costs(
        "an id of 129 two-byte letters",
        ROW.format("Bear").replace("u1", "é" * 129),
        "user of more than 256 bytes",
    ),
    costs("no user", ROW.format("Bear").replace("u1", " "), "no user"),
    costs("a word for unknown", ROW.format("Bear").replace("i1", "None"), "no item"),
    # Values
    costs("a negative price", ROW.format("Bear").replace("9.90", "-9.90"), "bad price"),
    costs("an endless price", ROW.format("Bear").replace("9.90", "inf"), "bad price"),
    costs("a price in words", ROW.format("Bear").replace("9.90", "9,90 EUR".replace(",", ".")), "bad price"),
    costs("a value beyond 32 bits", ROW.format("Bear").replace("1.5", "1e300"), "bad paid"),
    fine("no price", within(ROW.format("Bear").replace("9.90", "nan")), 201),
    fine("rows there twice", sheet(*ROWS), 400, "duplicate events: 200 (50.0%)"),
    # Containers
    stops(
        "a cut-off archive", gzip.compress(sheet(*ROWS * 50))[:400], "damaged or cut off", file="log.csv.gz"
    ),
    stops("no archive", sheet(), "damaged or cut off", file="log.csv.gz"),
    stops("two files in an archive", archive(a=sheet(), b=sheet()), "holds 2 files", file="log.zip"),
    stops("damaged Parquet", parquet(TABLE)[:-40], "no readable Parquet file", file="log.parquet"),
    stops("Parquet by name only", sheet(), "no readable Parquet file", file="log.parquet"),
    stops(
        "nested Parquet",
        parquet({**TABLE, "title": [{"en": "Bear"}] * 2}),
        "column 'title' of type struct",
        file="log.parquet",
    ),
    stops(
        "bytes in Parquet",
        parquet({**TABLE, "item": [b"\xff", b"\xfe"]}),
        "column 'item' of type binary",
        file="log.parquet",
    ),
    stops(
        "Parquet without a column",
        parquet({k: v for k, v in TABLE.items() if k != "when"}),
        "column 'when' is missing",
        file="log.parquet",
    ),
    stops(
        "Parquet without rows",
        parquet({name: pa.array([], pa.string()) for name in TABLE}),
        "no rows in the file",
        file="log.parquet",
    ),
    stops("Parquet with a column twice", b"", "column 'user' is there twice", file="log.parquet"),
    # The mapping and the places
    stops("a mapping that is no TOML", sheet(), "shop.toml", mapping=lambda text: text + "\n= ="),
    stops(
        "a mapping without a key",
        sheet(),
        "user_id: is missing",
        mapping=instead('user_id = "user"', ""),
    ),
    stops(
        "a share that is none",
        sheet(),
        "must be a share between 0 and 1",
        mapping=instead('value = "paid"', 'allow = { "no user" = 2 }'),
    ),
    stops(
        "a file that is missing",
        b"",
        "no such file",
        mapping=instead("log.csv", "none.csv"),
    ),
    stops("a folder", b"", "sub", mapping=instead("log.csv", "sub")),
    stops(
        "a file that cannot be read",
        b"",
        "cannot be read",
        mapping=instead("log.csv", "unreadable.csv"),
    ),
]


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_malformed_input_is_told_and_loses_nothing_else(case: Case, raw: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(case.mapping(MAPPING.replace("FILE", case.file)))
    (raw / "sub").mkdir()
    (raw / "unreadable.csv").symlink_to("/proc/self/mem")
    (raw / case.file).write_bytes(case.content)
    if "column twice" in case.name:
        pq.write_table(pa.Table.from_arrays(TWICE, names=[*TABLE, "user"]), raw / case.file)
    result = run("mapping", "--mapping", raw / "shop.toml", *case.args)
    out = result.folder.parent
    if case.reasons is None:
        assert (result.code, result.stderr.count("\n")) == (2, 1), result.stderr
        assert result.stderr.startswith("error: ")
        assert case.told in result.stderr
        left = {path.name for path in out.iterdir()} if out.exists() else set()
        assert left <= {".test.lock", "test.rejects.csv"}
        assert ("test.rejects.csv" in left) == ("Rejected so far: " in result.stderr)
        return
    assert (result.code, result.stderr) == (0, "")
    assert case.told in " ".join(result.stdout.split())
    counts = result.report["tables"]["events"]
    assert (counts["kept"], counts["reasons"]) == (case.kept, case.reasons)
    assert len(result.rows("events")) == case.kept
    assert [row[2] for row in result.rejects] == list(case.reasons)
    assert counts["lines"] == case.kept + counts["rejected"] + counts["ignored"] + counts["continued"]
    assert sorted(path.name for path in out.iterdir()) == [".test.lock", "test"]


def test_an_output_folder_that_cannot_be_made_is_told(raw: Path, tmp_path: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(MAPPING.replace("FILE", "log.csv"))
    (raw / "log.csv").write_bytes(sheet())
    for place in ("/proc/none", tmp_path / "prepared"):
        (tmp_path / "prepared").write_text("a file, not a folder") if place != "/proc/none" else None
        result = run("mapping", "--mapping", raw / "shop.toml", "--out", place)
        assert result.code == 2
        assert "cannot be written" in result.stderr
        assert result.stderr.count("\n") == 1
