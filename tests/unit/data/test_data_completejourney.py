from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import Run

from data.sources.titles import package, product_title, readable

pytestmark = pytest.mark.unit


@pytest.fixture
def package_files(raw: Path) -> Path:
    """The three tables in the package's form; there is no promotions table to open."""
    transactions = {
        "household_id": [900, 900, 7, 7, 7],
        "product_id": [1, 2, 1, 1, 99],
        "quantity": [2, 5000, 1, 0, 1],
        "sales_value": [3.0, 9.0, 2.0, 0.0, 1.0],
        "transaction_timestamp": pa.array([5, 4, 3, 2, 1], pa.timestamp("s")).cast(pa.timestamp("ns")),
    }
    products = {
        "product_id": [1, 2, 3],
        "manufacturer_id": [69, 2, 2],
        "department": ["GROCERY", "FUEL", "GROCERY"],
        "brand": ["Private", "National", "National"],
        "product_category": ["FRZN NOVELTIES/WTR ICE", "FUEL", "BUTTER"],
        "product_type": ["FRZN WHIPPED TOPPING", "GASOLINE-REG UNLEADED", "BUTTER"],
        "package_size": ["8 OZ", None, "1 LB"],
    }
    demographics = {
        "household_id": [900],
        "age": ["65+"],
        "income": ["35-49K"],
        "home_ownership": ["Homeowner"],
    }
    demographics |= {
        "marital_status": [None],
        "household_size": ["2"],
        "household_comp": ["2 Adults No Kids"],
    }
    demographics |= {"kids_count": ["0"]}
    for name, columns in (
        ("transactions", transactions),
        ("products", products),
        ("demographics", demographics),
    ):
        pq.write_table(pa.table(columns), raw / f"{name}.parquet")
    return raw


def test_kept_departments_become_events_items_and_prices(package_files: Path, run: Run) -> None:
    result = run("completejourney", "--path", package_files, "--max-reject-rate", "0.2")
    assert result.code == 0, result.stderr
    assert [(e["user_id"], e["item_id"], e["value"], e["at"].second) for e in result.rows("events")] == [
        ("7", "1", 0.0, 2),
        ("7", "1", 2.0, 3),
        ("900", "1", 3.0, 5),
    ]
    assert result.rows("events")[0]["at"] == datetime(1970, 1, 1, 0, 0, 2)  # noqa: DTZ001
    items = result.rows("items")
    assert len(items) == 1  # neither fuel nor what nobody bought
    assert items[0]["title"] == "Store Brand Frozen Whipped Topping, 8 oz"
    assert items[0]["category_path"] == ["Grocery", "Frozen Novelties / Water Ice", "Frozen Whipped Topping"]
    assert (items[0]["price"], items[0]["manufacturer"], items[0]["package_size"]) == (1.75, "69", "8 oz")
    assert result.report["notes"]["events_of_excluded_departments"] == 1
    assert [row[1:3] for row in result.rejects] == [["5", "product_id not in products"]]


def test_every_household_is_a_user_with_demographics_where_known(package_files: Path, run: Run) -> None:
    users = run("completejourney", "--path", package_files, "--max-reject-rate", "0.2").rows("users")
    assert [(user["user_id"], user["age"], user["marital_status"]) for user in users] == [
        ("7", None, None),
        ("900", "65+", None),
    ]


def test_a_table_without_a_needed_column_is_told(package_files: Path, run: Run) -> None:
    pq.write_table(pa.table({"household_id": [1]}), package_files / "transactions.parquet")
    result = run("completejourney", "--path", package_files)
    assert result.code == 2
    assert "transactions.parquet: column 'product_id' is missing; found 'household_id'" in result.stderr


@pytest.mark.parametrize(
    ("args", "title"),
    [
        (("GROCERY", "FRUIT - SHELF STABLE", "APPLE SAUCE", "50 OZ", "National"), "Apple Sauce, 50 oz"),
        (("GROCERY", "BUTTER", "BUTTER", "1 LB", "Private"), "Store Brand Butter, 1 lb"),
        (("GROCERY", "EGGS", "EGGS - LARGE", "1 DZ", "National"), "Large Eggs, 1 dozen"),
        (
            ("GROCERY", "ICE CREAM/MILK/SHERBTS", "PREMIUM", "56 OZ", "National"),
            "Premium Ice Cream / Milk / Sherbets, 56 oz",
        ),
        (
            ("GROCERY", "CAT FOOD", "DRY CAT FOOD (CAT CHOW/FRISKIE", "3.5 LB", "National"),
            "Dry Cat Food, 3.5 lb",
        ),
        (("PRODUCE", "TROPICAL FRUIT", "BANANAS", "40 LB", "National"), "Bananas"),
        (("PASTRY", "BREAKFAST SWEETS", "SW GDS:DONUTS", ".5 OZ", "National"), "Donuts, 0.5 oz"),
        (("TOYS", None, None, None, "National"), "Toys"),
    ],
)
def test_titles_are_readable_english(
    args: tuple[str, str | None, str | None, str | None, str | None], title: str
) -> None:
    assert product_title(*args) == title


@pytest.mark.parametrize(
    ("raw_text", "text"),
    [
        ("REFRGRATD DOUGH PRODUCTS", "Refrigerated Dough Products"),
        ("YGRT CHOC", "Yogurt Chocolate"),
        ("SHLF", "Shelf"),
        ("WHOLE&PEEL", "Whole & Peel"),
        ("TV/MOVIE-MAGAZINE", "TV / Movie Magazine"),
    ],
)
def test_abbreviations_are_expanded(raw_text: str, text: str) -> None:
    assert readable(raw_text) == text


def test_an_odd_package_size_is_left_out() -> None:
    assert [package(size, "GROCERY") for size in ("4/4 OZ", "1.0 LB", "MINI", None)] == [
        "4 × 4 oz",
        "1 lb",
        "",
        "",
    ]
