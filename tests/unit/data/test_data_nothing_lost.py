"""Whatever happens to a file, each of its lines is written, rejected, ignored or part of such a row."""

from __future__ import annotations

import random
from contextlib import nullcontext
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from data.rejects import Rejects
from data.rows import read_rows
from data.sources.base import stream

pytestmark = pytest.mark.unit

ROWS = 60
COLUMNS = ("user", "item", "title", "when")


def table(draw: random.Random) -> list[str]:
    """The lines of a sound file, some of them with quoted texts, two of which go over several lines."""
    titles = ["Bear", '"Bear, brown"', '"5"" nails"', "", '""', "O'Neil", '"a\nb, c\n"']
    rows = [f"u{n % 7},i{n % 11},{draw.choice(titles[:6])},2026-01-{1 + n % 28:02}" for n in range(ROWS)]
    for at in draw.sample(range(ROWS), 2):
        rows[at] = f"u1,i1,{titles[6]},2026-01-01"
    return [",".join(COLUMNS), *rows]


def counted(path: Path) -> tuple[int, Rejects]:
    """The rows that would be written, and the counts."""
    rejects = Rejects(1.0)
    kept = 0
    for cols in stream(path, "events", COLUMNS, rejects, lambda *_: nullcontext(lambda _: None)):
        columns = {"user": cols.ids("user"), "item": cols.ids("item"), "at": cols.time("when")}
        kept += len(cols.keep(columns | {"title": cols.text("title")})["user"])
    return kept, rejects


def physical_lines(path: Path) -> int:
    """Line ends of all three kinds, as an independent count."""
    text = path.read_bytes().decode("utf-8", errors="replace")
    whole = text.replace("\r\n", "\n").replace("\r", "\n")
    return whole.count("\n") + (not whole.endswith("\n") and bool(whole))


NOISE = st.sampled_from(
    [b'"', b'""', b",", b"\n", b"\r", b"\r\n", b"\0", b"\xff", b"\x1b", b"", b" ", b'",', b"0001"]
)


@settings(max_examples=300, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    changes=st.lists(st.tuples(st.floats(0, 1), st.integers(0, 12), NOISE), max_size=6),
)
def test_written_and_rejected_and_ignored_lines_are_all_lines(
    tmp_path_factory: pytest.TempPathFactory, seed: int, changes: list[tuple[float, int, bytes]]
) -> None:
    head, *rows = table(random.Random(seed))
    content = "\n".join(rows).encode()
    for share, removed, added in changes:
        at = int(share * len(content))
        content = content[:at] + added + content[at + removed :]
    path = tmp_path_factory.mktemp("raw") / "t.csv"
    path.write_bytes(head.encode() + b"\n" + content)
    kept, rejects = counted(path)
    counts = rejects.counts()["events"]
    assert counts["lines"] == physical_lines(path)
    assert kept + counts["rejected"] + counts["ignored"] + counts["continued"] == counts["lines"]


@settings(max_examples=300, deadline=None)
@given(places=st.lists(st.floats(0, 1, exclude_max=True), min_size=1, max_size=3))
def test_stray_quotes_cost_at_most_their_own_lines(
    tmp_path_factory: pytest.TempPathFactory, places: list[float]
) -> None:
    head, *rows = [",".join(COLUMNS)] + [f"u{n % 7},i{n % 11},Bear,2026-01-01" for n in range(ROWS)]
    content = "\n".join(rows)
    for share in places:
        at = int(share * len(content))
        content = content[:at] + '"' + content[at:]
    path = tmp_path_factory.mktemp("raw") / "t.csv"
    path.write_text(f"{head}\n{content}\n")
    kept, rejects = counted(path)
    assert kept + rejects.rejected("events") == ROWS
    assert rejects.rejected("events") <= len(places)


def test_rows_before_and_behind_blocks_are_the_same_whatever_stands_between(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    rows = [f"{n},{n}" for n in range(7_000)]
    rows[1_998] = '"1998\n\n","x"'
    rows[3_500] = '"open,3500'
    rows[6_999] = '"last,"'
    path.write_text("a,b\n" + "\n".join(rows) + "\n")
    rejects = Rejects(1.0)
    read = [row for batch in read_rows(path, "t", ("a",), rejects) for row in batch.fields]
    assert len(read) == 6_998
    assert [reject.line for reject in rejects.first] == [3_504, 7_003]
    assert read[1_998] == ["1998\n\n", "x"]
