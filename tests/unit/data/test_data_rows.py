from __future__ import annotations

import gzip
import zipfile
from pathlib import Path

import pytest

from data.errors import DataError
from data.rejects import Rejects
from data.rows import BATCH_ROWS, TextFormat, read_rows

pytestmark = pytest.mark.unit

Row = tuple[int, list[str]]


def read(
    path: Path, form: TextFormat | None = None, required: tuple[str, ...] = ("a", "b")
) -> tuple[list[Row], Rejects]:
    rejects = Rejects()
    rows: list[Row] = []
    for batch in read_rows(path, "events", required, rejects, form or TextFormat()):
        assert len(batch.lines) <= BATCH_ROWS
        rows += [(line, list(fields)) for line, fields in zip(batch.lines, batch.fields, strict=True)]
    return rows, rejects


def reasons(rejects: Rejects) -> list[tuple[int, str]]:
    return [(reject.line, reject.reason) for reject in rejects.first]


@pytest.mark.parametrize("kind", ["plain", "gz", "zip"])
def test_plain_and_packed_files_read_the_same(kind: str, tmp_path: Path) -> None:
    text = b"\xef\xbb\xbfa,b\r\n1,x\r\n\r\n2,\xc3\xa9\r\n"
    path = tmp_path / {"plain": "t.csv", "gz": "t.csv.gz", "zip": "t.zip"}[kind]
    if kind == "plain":
        path.write_bytes(text)
    elif kind == "gz":
        path.write_bytes(gzip.compress(text))
    else:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("t.csv", text)
    assert read(path)[0] == [(2, ["1", "x"]), (4, ["2", "é"])]


def test_a_line_end_in_quotes_belongs_to_the_row_and_later_lines_keep_their_numbers(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,"x\ny"\n2,"say ""hi"", ok"\n')
    assert read(path)[0] == [(2, ["1", "x\ny"]), (4, ["2", 'say "hi", ok'])]


def test_rows_with_too_few_or_too_many_fields_are_rejected_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n1,x\n2\n3,y,z\n4,w\n")
    rows, rejects = read(path)
    assert [line for line, _ in rows] == [2, 5]
    assert reasons(rejects) == [(3, "1 columns instead of 2"), (4, "3 columns instead of 2")]
    assert rejects.first[1].raw == "3,y,z"


def test_a_quote_that_is_never_closed_costs_its_own_line_only(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('a,b\n1,x\n2,"open\n' + "3,y\n" * 50_000)
    rows, rejects = read(path)
    assert reasons(rejects) == [(3, "a quote that is not closed")]
    assert len(rows) == 50_001
    assert rows[-1] == (50_003, ["3", "y"])


@pytest.mark.parametrize(
    ("text", "kept", "told"),
    [
        ('1,x,"2\n2,y,3\n3,"z",4\n', [3, 4], [(2, "a quote that is not closed")]),
        ('1,x,"2\n2,y,3\n3,z,4"\n4,z,4\n', [3, 4, 5], [(2, "a quote that is not closed")]),
        ('1,"x,2\n2,"y,3\n3,z,4\n', [4], [(2, "a quote that is not closed")] * 2),
        ('1,"x,2\n2,5",3\n3,z,4\n', [3, 4], [(2, "a quote that is not closed")]),
        ('1,x,2\n2,y,"3', [2], [(3, "a quote that is not closed")]),
        ('1,"a ""b"",2\n2,y,3\n', [3], [(2, "a quote that is not closed")]),
        ('"1,x,2\n2,y,3\n"3,z,4\n', [3], [(2, "a quote that is not closed")] * 2),
        ('1,"x" y,z,2\n2,y,3\n', [3], [(2, "text behind a closing quote")]),
        ('1,x,2\n2,\0,3\n3,"z",4\n', [2, 4], [(3, "NUL character")]),
    ],
)
def test_a_stray_quote_costs_its_own_line_wherever_it_stands(
    text: str, kept: list[int], told: list[tuple[int, str]], tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + text)
    rows, rejects = read(path)
    assert [line for line, _ in rows] == kept
    assert [reason for _, reason in reasons(rejects)] == [reason for _, reason in told]
    assert reasons(rejects)[0] == told[0]


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ('1,5" nails,2\n', ["1", '5" nails', "2"]),
        ('1,"Best" nails,2\n', ["1", '"Best" nails', "2"]),
        ('1,"say ""hi"", you",2\n', ["1", 'say "hi", you', "2"]),
        ('1,"one\ntwo, three\n\nfour",2\n', ["1", "one\ntwo, three\n\nfour", "2"]),
        ('1,"one\r\n""two""\r\nthree","2"\r\n', ["1", 'one\r\n"two"\r\nthree', "2"]),
        ('1,"' + "a line of text\n" * 900 + '",2\n', ["1", "a line of text\n" * 900, "2"]),
    ],
)
def test_quotes_in_a_text_and_texts_of_several_lines_are_read(
    text: str, fields: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b,c\n" + text + "2,y,3\n", newline="")
    rows, rejects = read(path)
    assert rows == [(2, fields), (2 + len(text.splitlines()), ["2", "y", "3"])]
    assert rejects.total == 0


def test_lines_are_counted_as_rows_further_lines_of_rows_and_ignored_ones(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text('\na,b\n1,"x\ny"\n\n2\n3,z\n')
    rows, rejects = read(path)
    assert [line for line, _ in rows] == [3, 7]
    assert rejects.counts()["events"] | {"read": 0, "kept": 0} == {
        "lines": 7,
        "ignored": 3,
        "continued": 1,
        "read": 0,
        "kept": 0,
        "left_out": {},
        "rejected": 1,
        "reasons": {"1 columns instead of 2": 1},
        "cleaned": {},
    }


def test_an_endless_line_is_rejected_and_the_next_line_is_read(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n" + "1" * 3_000_000 + ",x\n2,y\n")
    rows, rejects = read(path)
    assert rows == [(3, ["2", "y"])]
    assert reasons(rejects) == [(2, "line too long")]


def test_a_delimiter_of_two_characters_needs_no_quotes(tmp_path: Path) -> None:
    path = tmp_path / "t.dat"
    path.write_bytes(b'1::"Am\xe9lie"\n')
    form = TextFormat("::", "latin-1", quoted=False, columns=("a", "b"))
    assert read(path, form)[0] == [(1, ["1", '"Amélie"'])]


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "the file is empty"),
        (b"a;b\n1;x\n", ":1: column 'a' is missing; found 'a;b'. Is the delimiter ',' right?"),
        (b"a,c\n1,x\n", ":1: column 'b' is missing; found 'a, c'."),
        (b"a,b,a\n1,x,2\n", ":1: column 'a' is there twice"),
        (b'a,"b\n1,x\n', ":1: a quote that is not closed in the header"),
        (b"a,b\n\n", ":2: no rows behind the header"),
        ("a,b\n1,x\n".encode("utf-16"), ":1: is no text in this encoding (UTF-16, perhaps)"),
    ],
)
def test_a_file_of_another_form_is_told_in_one_line(content: bytes, told: str, tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(content)
    with pytest.raises(DataError) as error:
        read(path)
    assert str(error.value).startswith(str(path))
    assert told in str(error.value)
    assert "\n" not in str(error.value)


def test_an_empty_file_without_header_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.dat"
    path.touch()
    with pytest.raises(DataError, match="the file is empty"):
        read(path, TextFormat(columns=("a", "b")))


@pytest.mark.parametrize("name", ["t.csv.gz", "t.zip"])
@pytest.mark.parametrize("share", [0.0, 0.5, 0.99])
def test_a_cut_off_archive_is_told(name: str, share: float, tmp_path: Path) -> None:
    text = "a,b\n" + "".join(f"{n},{n * n}\n" for n in range(20_000))
    path = tmp_path / name
    if name.endswith("gz"):
        path.write_bytes(gzip.compress(text.encode()))
    else:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("t.csv", text)
    whole = path.read_bytes()
    path.write_bytes(whole[: int(len(whole) * share)])
    with pytest.raises(DataError, match=r"damaged or cut off|the file is empty"):
        read(path)


def test_an_archive_of_several_files_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", "a,b\n")
        archive.writestr("two.csv", "a,b\n")
    with pytest.raises(DataError, match="holds 2 files instead of one"):
        read(path)


@pytest.mark.parametrize(("name", "told"), [("none.csv", "no such file"), ("", "cannot be read")])
def test_a_missing_file_and_a_folder_are_told(name: str, told: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=told):
        read(tmp_path / name)


def test_an_unknown_encoding_is_told(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("a,b\n")
    with pytest.raises(DataError, match="unknown encoding"):
        read(path, TextFormat(encoding="utf-9"))
