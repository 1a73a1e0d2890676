"""What a mapping leaves out, takes back and computes; and that every row is accounted for."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from data_files import Prepared, Run
from hypothesis import given, settings
from hypothesis import strategies as st

from data import patterns
from data.prepare import main

pytestmark = pytest.mark.unit

HEAD = """
[dataset]
name = "test"
title = "Shop"

[events]
file = "log.csv"
user_id = "who"
item_id = "what"
time = "when"
"""
SALES = HEAD + 'type_constant = "purchase"\n'
RETURNS = (
    'value = {{ product = ["n", "price"] }}\n[events.returns]\nwhen = [{{ column = "n", below = 0 }}]\n{}\n'
)


def prepared(raw: Path, run: Run, mapping: str, log: str, **more: str) -> Prepared:
    (raw / "shop.toml").write_text(mapping, "utf-8")
    (raw / "log.csv").write_text(log, "utf-8")
    for name, text in more.items():
        (raw / f"{name}.csv").write_text(text, "utf-8")
    return run("mapping", "--mapping", raw / "shop.toml")


def adds_up(result: Prepared) -> dict[str, Any]:
    """The counts of the events, after a check that no row is missing."""
    counts: dict[str, Any] = result.report["tables"]["events"]
    assert counts["read"] == counts["kept"] + counts["rejected"] + sum(counts["left_out"].values())
    assert counts["kept"] == result.report["rows"]["events"] == len(result.rows("events"))
    return counts


@pytest.mark.parametrize(
    ("test", "kept"),
    [
        ("is = 'DE'", "ab"),
        ("is = ['DE', 'fr']", "ab"),
        ("is_not = 'DE'", "cde"),
        ("matches = 'd*'", "abc"),
        ("matches = '/^D.$/'", "abc"),
        ("matches_not = ['d*', 'F?']", "e"),
        ("known = true", "abcd"),
        ("known = false", "e"),
    ],
)
def test_rows_are_filtered_by_the_text_of_a_column(test: str, kept: str, raw: Path, run: Run) -> None:
    where = f"where = [{{ column = 'land', {test} }}]\n"
    lands = ["DE", " DE ", "dk", "FR", ""]
    rows = "".join(f"u,{item},2024-01-01,{land}\n" for item, land in zip("abcde", lands, strict=True))
    result = prepared(raw, run, SALES + where, "who,what,when,land\n" + rows)
    assert result.code == 0, result.stderr
    assert "".join(result.column("events", "item_id")) == kept
    (count,) = adds_up(result)["left_out"].values()
    assert count == 5 - len(kept)


@pytest.mark.parametrize(
    ("test", "kept"),
    [("above = 0", "bc"), ("at_least = 0", "abc"), ("below = 2", "ad"), ("at_most = 2", "abd")],
)
def test_rows_are_filtered_by_the_number_in_a_column(test: str, kept: str, raw: Path, run: Run) -> None:
    where = f"where = [{{ column = 'n', {test} }}]\n"
    log = "who,what,when,n\nu,a,2024-01-01,0\nu,b,2024-01-01,2\nu,c,2024-01-01,10\nu,d,2024-01-01,-1.5\n"
    result = prepared(raw, run, SALES + where, log + "u,e,2024-01-01,many\n")
    assert "".join(result.column("events", "item_id")) == kept
    adds_up(result)


def test_what_is_left_out_needs_not_be_right_and_counts_against_no_limit(raw: Path, run: Run) -> None:
    where = "where = [{ column = 'state', is = 'done' }]\n"
    log = "who,what,when,state\nu,a,2024-01-01,done\n" + ",,never,open\n" * 50
    result = prepared(raw, run, SALES + where, log)
    assert result.code == 0, result.stderr
    assert adds_up(result)["left_out"] == {"not (state is done)": 50}
    assert "50 not (state is done)" in " ".join(result.stdout.replace("│", " ").split())


def test_types_that_are_listed_are_ignored_and_others_rejected(raw: Path, run: Run) -> None:
    types = 'type = "did"\ntypes = { look = "view", buy = "purchase" }\nignore = ["scroll", "7.0"]\n'
    log = "who,what,when,did\nu,a,2024-01-01,buy\nu,,,scroll\nu,a,2024-01-02,7\nu,a,2024-01-03,look\n"
    result = prepared(raw, run, HEAD + types, log)
    assert adds_up(result)["left_out"] == {"did is scroll": 1, "did is 7": 1}
    assert result.column("events", "type") == ["purchase", "view"]
    assert prepared(raw, run, HEAD + types, log + "u,a,2024-01-03,leap\n").code == 2


def test_what_is_no_product_becomes_no_item_whichever_table_tells(raw: Path, run: Run) -> None:
    alone = 'exclude = { item_id = ["POST", "bank*"], title = ["*postage*"] }\n'
    log = "who,what,when,name\nu,a,2024-01-01,Ant\nu,post,2024-01-01,x\nu,Bank fee,2024-01-01,x\n"
    log += "u,q,2024-01-01,DHL Postage\nu,POSTER,2024-01-01,Big\n"
    result = prepared(raw, run, SALES + '[items]\ntitle = "name"\n' + alone, log)
    assert result.column("items", "item_id") == ["a", "POSTER"]
    assert adds_up(result)["left_out"] == {"no product": 3}

    own = f'[items]\nfile = "items.csv"\nitem_id = "id"\ntitle = "name"\n{alone}'
    log += "u,a,2024-01-01,page with postage\n"  # a column of that name in the events' file is another one
    result = prepared(raw, run, SALES + own, log, items="id,name\na,Ant\nq,DHL postage 5 kg\n")
    assert result.column("items", "item_id") == ["a", "POSTER"]
    assert adds_up(result)["left_out"] == {"no product": 3}
    assert result.report["tables"]["items"]["left_out"] == {"no product": 1}


def test_the_value_is_a_product_and_a_return_takes_back_the_newest_purchases(raw: Path, run: Run) -> None:
    log = (
        "who,what,when,n,price\n"
        "u,a,2024-01-01,2,1.5\nu,a,2024-01-03,4,1.5\nu,a,2024-01-05,-5,1.5\n"  # all of the 4, 1 of the 2
        "v,a,2024-01-06,-1,1.5\n"  # bought before the data begin
        "u,b,2024-01-02,3,0.1\nu,b,2024-01-02,-3,0.1\n"
        "u,a,2024-01-09,1,1.5\n"  # after the return
    )
    result = prepared(raw, run, SALES + RETURNS.format(""), log)
    assert result.code == 0, result.stderr
    found = [(row["user_id"], row["item_id"], row["value"]) for row in result.rows("events")]
    assert found == [("u", "a", 1.5), ("u", "a", 1.5)]
    assert adds_up(result)["left_out"] == {"return": 3, "taken back by a return": 2}
    assert result.report["notes"] == {"returns_without_a_purchase": 1}
    assert result.column("users", "user_id") == ["u"]


@pytest.mark.parametrize(
    ("do", "types"),
    [("ignore", ["purchase"]), ("dislike", ["purchase", "dislike"])],
)
def test_returns_may_be_left_out_or_be_events_of_their_own(
    do: str, types: list[str], raw: Path, run: Run
) -> None:
    log = "who,what,when,n,price\nu,a,2024-01-01,2,1.5\nu,a,2024-01-03,-2,1.5\n"
    result = prepared(raw, run, SALES + RETURNS.format(f'do = "{do}"'), log)
    assert [(row["type"], row["value"]) for row in result.rows("events")] == [(kind, 3.0) for kind in types]
    adds_up(result)


def test_when_all_is_taken_back_nothing_is_written(raw: Path, run: Run) -> None:
    log = "who,what,when,n,price\nu,a,2024-01-01,2,1.5\nu,a,2024-01-03,-2,1.5\n"
    result = prepared(raw, run, SALES + RETURNS.format(""), log)
    assert (result.code, result.stderr.count("\n")) == (2, 1)
    assert "every purchase is taken back" in result.stderr


def test_repeats_are_dropped_on_request(raw: Path, run: Run) -> None:
    log = "who,what,when\n" + "u,a,2024-01-01\n" * 3 + "u,b,2024-01-01\nu,a,2024-01-02\nu,a,2024-01-01\n"
    assert len(prepared(raw, run, SALES, log).rows("events")) == 6
    result = prepared(raw, run, SALES + 'duplicates = "drop"\n', log)
    assert [row["item_id"] for row in result.rows("events")] == ["a", "b", "a"]
    assert adds_up(result)["left_out"] == {"duplicate": 3}


def test_several_files_are_one_table_and_a_pattern_must_fit(raw: Path, run: Run) -> None:
    mapping = SALES.replace('"log.csv"', '["log.csv", "part-*.csv"]')
    parts = {"part-2": "when,who,what\n2024-01-03,u,c\n", "part-1": "who,what,when\nu,b,2024-01-02\n"}
    log = "who,what,when\nu,a,2024-01-01\n"
    assert "part-*.csv: no file fits this pattern" in prepared(raw, run, mapping, log).stderr
    result = prepared(raw, run, mapping, log, **parts)
    assert result.column("events", "item_id") == ["a", "b", "c"]
    (raw / "part-2.csv").write_text(parts["part-2"] + "2024-01-04,u,d\n")
    assert run("mapping", "--mapping", raw / "shop.toml").column("events", "item_id") == ["a", "b", "c", "d"]


def test_without_times_the_order_of_the_rows_stands_in_and_is_told(raw: Path, run: Run) -> None:
    mapping = SALES.replace('time = "when"\n', "").replace('"log.csv"', '["log.csv", "z.csv"]')
    result = prepared(raw, run, mapping, "who,what\nu,b\nu,a\n", z="what,who\nd,u\nc,v\n")
    events = result.rows("events")
    assert [row["item_id"] for row in events] == ["b", "a", "d", "c"]
    gaps = {(later["at"] - sooner["at"]).days for sooner, later in pairwise(events)}
    assert gaps == {91}  # a year in four parts
    assert "no times" in (result.folder / "dataset.toml").read_text("utf-8")


def test_without_times_rows_sorted_by_shopper_are_spread_over_the_year_for_each(raw: Path, run: Run) -> None:
    mapping = SALES.replace('time = "when"\n', "")
    rows = [(f"u{shopper}", f"i{shopper + 7 * place}") for shopper in range(30) for place in range(20)]
    log = "who,what\n" + "".join(f"{who},{what}\n" for who, what in rows)

    events = prepared(raw, run, mapping, log).rows("events")

    assert [event["at"] for event in events] == sorted(event["at"] for event in events)
    for shopper in ("u0", "u29"):
        own = [event for event in events if event["user_id"] == shopper]
        assert [event["item_id"] for event in own] == [what for who, what in rows if who == shopper]
        assert (own[-1]["at"] - own[0]["at"]).days in range(340, 350)  # 19 of 20 parts of a year
    last = [event["user_id"] for event in events[-30:]]
    assert len(set(last)) > 25  # nearly everybody was there lately
    assert len({event["at"] for event in events}) == len(events)


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("where = [{ column = 'n' }]", "[[where]] 1: column: say what must hold"),
        ("where = [{ column = 'n', like = 'x' }]", "say what must hold"),
        ("where = [{ column = 'n', above = 'x' }]", "above: must be a number"),
        ("where = [{ column = 'n', matches = '/(/' }]", "matches: '/(/'"),
        ("returns = { when = [], do = 'remove' }", "when: name the rows that are returns"),
        ("returns = { when = [{ column = 'n', below = 0 }], do = 'refund' }", "do: must be"),
        ("ignore = ['x']", "[events] ignore: lists values of the column type"),
        ("duplicates = 'no'", '[events] duplicates: must be "keep" or "drop"'),
        ("value = { product = [] }", "value.product: must be a list"),
        ("value = { sum = ['n'] }", "value.product: is missing"),
        ("[users]\nwhere = [{ column = 'n', known = true }]", "[users] where: [users] has no file"),
        ("[items]\nexclude = { brand = 'x' }", "exclude.brand: unknown key"),
        ("[items]\nexclude = { title = 'x' }", "exclude: has patterns of titles, but no title column"),
    ],
)
def test_a_mistake_is_told_with_its_key(extra: str, told: str, raw: Path, run: Run) -> None:
    result = prepared(raw, run, SALES + extra + "\n", "who,what,when,n\nu,a,2024-01-01,1\n")
    assert (result.code, result.stderr.count("\n")) == (2, 1)
    assert told in result.stderr


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["u", "v", ""]),
            st.sampled_from(["a", "b", "POST", ""]),
            st.sampled_from(["2024-01-01", "2024-01-02", "soon"]),
            st.sampled_from(["1", "2", "-1", "-3", "", "x"]),
            st.sampled_from(["buy", "look", "scroll", "?"]),
        ),
        min_size=1,
        max_size=40,
    )
)
@settings(max_examples=40, deadline=None)
def test_every_row_is_written_rejected_or_left_out(
    rows: list[tuple[str, ...]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("counts")
    mapping = HEAD + (
        'type = "did"\ntypes = { buy = "purchase", look = "view" }\nignore = ["scroll"]\nvalue = "n"\n'
        'duplicates = "drop"\nreturns = { when = [{ column = "n", below = 0 }] }\n'
        'where = [{ column = "who", known = true }]\n[items]\nexclude = { item_id = ["POST"] }\n'
    )
    (folder / "shop.toml").write_text(mapping)
    lines = [("first", "a", "2023-12-31", "1", "buy"), *rows]
    (folder / "log.csv").write_text("who,what,when,n,did\n" + "".join(",".join(row) + "\n" for row in lines))
    out = folder / "out"
    arguments = ["mapping", "--mapping", folder / "shop.toml", "--out", out, "--max-reject-rate", "1"]
    assert main([str(word) for word in arguments]) == 0
    counts = adds_up(Prepared(0, "", "", out / "test"))
    assert counts["read"] == len(lines)


@pytest.mark.parametrize(
    ("pattern", "text", "fits"),
    [
        ("a.c", "abc", False),
        ("a.c", "A.C", True),
        ("*x*", "1\nx\n2", True),
        ("/b/", "abc", True),
        ("ab", "abc", False),
    ],
)
def test_patterns_fit_the_whole_text_unless_they_are_regular_expressions(
    pattern: str, text: str, fits: bool
) -> None:
    assert patterns.matches(pa.array([text, None]), [pattern]).to_pylist() == [fits, False]
