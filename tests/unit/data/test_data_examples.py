"""The example shops: the same files every time, prepared by their own mapping without a rejected row."""

from __future__ import annotations

from pathlib import Path

import pytest
from data_files import Run

from data.examples.__main__ import EXAMPLES, main
from data.finishing import A_RETURN, REPEATED, TAKEN_BACK
from data.sources.mapping_rows import NO_PRODUCT

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_prepared_as_it_is_and_the_same_each_time(
    name: str, tmp_path: Path, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    first, second = tmp_path / "one" / "deep", tmp_path / "two"
    assert main([name, str(first)]) == 0
    assert main([name, str(second)]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == str(second / "shop.toml")
    files = {path.name: path.read_bytes() for path in first.iterdir()}
    assert files == {path.name: path.read_bytes() for path in second.iterdir()}
    result = run("mapping", "--mapping", first / "shop.toml")
    assert result.code == 0, result.stderr
    events = result.report["tables"]["events"]
    assert events["rejected"] == 0
    assert events["read"] == events["kept"] + sum(events["left_out"].values())
    assert 300 <= result.report["rows"]["users"] <= 600


def test_the_invoices_have_guests_returns_and_fees_and_none_of_them_is_left(tmp_path: Path, run: Run) -> None:
    main(["invoices", str(tmp_path / "shop")])
    result = run("mapping", "--mapping", tmp_path / "shop" / "shop.toml")
    counts = result.report["tables"]["events"]
    assert set(counts["left_out"]) == {"not (Customer ID known)", NO_PRODUCT, A_RETURN, TAKEN_BACK}
    assert 0.2 < counts["left_out"]["not (Customer ID known)"] / counts["read"] < 0.25
    assert all(item[:1].isdigit() for item in result.column("items", "item_id"))
    assert not any("POSTAGE" in title.upper() for title in result.column("items", "title"))


def test_the_clicks_have_categories_and_no_prices_and_repeats_are_dropped(tmp_path: Path, run: Run) -> None:
    main(["clicks", str(tmp_path / "shop")])
    result = run("mapping", "--mapping", tmp_path / "shop" / "shop.toml")
    assert set(result.report["tables"]["events"]["left_out"]) == {"event is search", REPEATED}
    assert {len(path) for path in result.column("items", "category_path")} == {2}
    assert set(result.column("items", "price")) == {None}
    assert set(result.column("events", "type")) == {"view", "cart", "purchase"}


def test_a_folder_that_cannot_be_written_is_told_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert main(["ratings", str(tmp_path / "file")]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"error: {tmp_path / 'file'}")
    assert told.count("\n") == 1
