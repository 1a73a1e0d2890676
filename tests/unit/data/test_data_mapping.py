from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from data_files import Run

from data import prepare
from data.dataset import load_dataset
from data.sources.mapping_config import load_mapping

pytestmark = pytest.mark.unit

ONE_CSV = """
[dataset]
name = "shop"
title = "My shop"

[events]
file = "log.csv"
user_id = "Kunde Nr."
item_id = "Artikel"
time = "Wann"
type_constant = "purchase"
"""

ALL = """
[dataset]
name = "shop"
title = "My shop"
currency = "EUR"
positive = ["purchase"]
weights = { view = 0.1 }

[events]
file = "log.txt"
delimiter = ";"
encoding = "latin-1"
user_id = "Kunde Nr."
item_id = "Artikel"
time = "Wann"
time_format = "%d.%m.%Y %H:%M"
type = "Was"
types = { Klick = "view", Kauf = "purchase" }
value = "Betrag"

[users]
file = "kunden.csv"
user_id = "nr"
[[users.feature]]
name = "age"
column = "Alter"
display = { en = "Age" }
[[users.feature]]
name = "hobbies"
column = "Hobbys"
kind = "multi"
separator = "/"
[[users.feature]]
name = "income"
kind = "number"
boundaries = [1000, 3000]

[items]
file = "artikel.parquet"
item_id = "sku"
title = "name"
category = ["pfad"]
category_separator = ">"
category_levels = 2
price = "preis"
brand = "marke"
available = "da"
listed_at = "seit"
[[items.feature]]
name = "tags"
kind = "multi"
"""


@pytest.fixture
def shop(raw: Path) -> Path:
    """A shop with odd column names, an odd time format, Latin-1, and items in Parquet."""
    (raw / "shop.toml").write_text(ALL, encoding="utf-8")
    (raw / "log.txt").write_bytes(
        (
            "Kunde Nr.;Artikel;Wann;Was;Betrag\n"
            "1.0;Bär;02.01.2024 10:00;Kauf;9.5\n"
            "7;Bär;01.01.2024 09:30;Klick;\n"
        ).encode("latin-1")
    )
    (raw / "kunden.csv").write_text("nr,Alter,Hobbys,income\n1,30,golf / chess,2500\n")
    items = {
        "sku": ["Bär", "x"],
        "name": ["Teddybär", None],
        "pfad": ["Toys > Soft", ""],
        "preis": [9.5, None],
        "marke": pa.array(["S", "S"]).dictionary_encode(),
        "da": [True, False],
        "seit": pa.array([1_704_067_200_000_000_000, None], pa.timestamp("ns", "UTC")),
        "tags": [["soft", "brown"], []],
    }
    pq.write_table(pa.table(items), raw / "artikel.parquet")
    return raw


def test_one_csv_of_events_is_enough(raw: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(ONE_CSV)
    (raw / "log.csv").write_text(
        "Wann,Artikel,Kunde Nr.,Rest\n2024-01-02T10:00:00Z,b,5.0,\n2024-01-01,a,5,\n"
    )
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 0, result.stderr
    assert [(event["item_id"], event["type"], event["user_id"]) for event in result.rows("events")] == [
        ("a", "purchase", "5"),
        ("b", "purchase", "5"),
    ]
    assert result.rows("users") == [{"user_id": "5"}]
    assert [(item["item_id"], item["title"], item["available"]) for item in result.rows("items")] == [
        ("b", "Product b", True),
        ("a", "Product a", True),
    ]


def test_attributes_may_stand_in_the_events_file_itself(raw: Path, run: Run) -> None:
    users = '[[users.feature]]\nname = "age"\n'
    items = '[items]\ntitle = "Name"\ncategory = ["Gruppe"]\nprice = "Preis"\n'
    (raw / "shop.toml").write_text(ONE_CSV + users + items)
    (raw / "log.csv").write_text(
        "Wann,Artikel,Kunde Nr.,age,Name,Gruppe,Preis\n"
        "2024-01-02,b,5,30,Ball,Toys,2.5\n"
        "2024-01-03,b,5,31,Other,Toys,3\n"
    )
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.rows("users") == [{"user_id": "5", "age": "30"}]
    item = result.rows("items")[0]
    assert (item["title"], item["category_path"], item["price"]) == ("Ball", ["Toys"], 2.5)


def test_odd_names_formats_and_parquet_are_mapped(shop: Path, run: Run) -> None:
    result = run("mapping", "--mapping", shop / "shop.toml")
    assert result.code == 0, result.stderr
    assert result.rows("users") == [
        {"user_id": "1", "age": "30", "hobbies": ["golf", "chess"], "income": 2500.0},
        {"user_id": "7", "age": None, "hobbies": None, "income": None},
    ]
    first, second = result.rows("items")
    assert (first["item_id"], first["title"], first["category_path"]) == ("Bär", "Teddybär", ["Toys", "Soft"])
    assert (first["price"], first["brand"], first["available"], first["tags"]) == (
        9.5,
        "S",
        True,
        ["soft", "brown"],
    )
    assert first["listed_at"] == datetime(2024, 1, 1)  # noqa: DTZ001
    assert (second["title"], second["price"], second["available"]) == ("Product x", None, False)
    assert [(event["type"], event["value"]) for event in result.rows("events")] == [
        ("view", 1.0),
        ("purchase", 9.5),
    ]
    dataset = load_dataset(result.folder / "dataset.toml")
    assert [feature.name for feature in dataset.item_features] == [
        "brand",
        "price",
        "category_1",
        "category_2",
        "tags",
    ]
    assert dataset.weights == {"view": 0.1}


def test_what_a_shop_shows_of_an_item_is_mapped(raw: Path, run: Run) -> None:
    items = (
        '[items]\nfile = "items.csv"\nitem_id = "id"\ndescription = "text"\nurl = "page"\n'
        'image_url = "picture"\nvariant_of = "parent"\n'
    )
    (raw / "shop.toml").write_text(ONE_CSV + items)
    (raw / "log.csv").write_text("Wann,Artikel,Kunde Nr.\n2024-01-02,b,5\n")
    (raw / "items.csv").write_text(
        "id,text,page,picture,parent\nb, Soft bear ,https://shop/b,https://shop/b.png,7.0\nc,,,,\n"
    )
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 0, result.stderr
    names = ("description", "url", "image_url", "variant_of")
    assert [tuple(item[name] for name in names) for item in result.rows("items")] == [
        ("Soft bear", "https://shop/b", "https://shop/b.png", "7"),
        (None, None, None, None),
    ]


def test_descriptions_addresses_and_parents_are_cleaned_and_what_is_lost_is_counted(
    raw: Path, run: Run
) -> None:
    items = (
        '[items]\nfile = "items.csv"\nitem_id = "id"\ndescription = "text"\nurl = "page"\n'
        'image_url = "picture"\nvariant_of = "parent"\n'
    )
    (raw / "shop.toml").write_text(ONE_CSV + items)
    (raw / "log.csv").write_text("Wann,Artikel,Kunde Nr.\n2024-01-02,b,5\n")
    (raw / "items.csv").write_text(
        "id,text,page,picture,parent\n"
        "b,<p>Soft &amp; warm</p><script>x()</script><ul><li>wool <b>only</b></ul>,"
        "javascript:alert(1),/p/b.png,b\n"
        f"c,{'x' * 10_001},www.shop/c,ftp://shop/c.png,b\n"
    )
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 0, result.stderr
    names = ("description", "url", "image_url", "variant_of")
    assert [tuple(item[name] for name in names) for item in result.rows("items")] == [
        ("Soft & warm\nwool only", None, "/p/b.png", None),
        ("x" * 10_000, None, None, "b"),
    ]
    assert result.report["notes"] == {"descriptions_cut": 1, "url_not_usable": 2, "image_url_not_usable": 1}


@pytest.mark.parametrize(("available", "offered"), [("", True), ('available = "sold"\n', False)])
def test_an_item_that_only_events_name_is_offered_unless_availability_is_told(
    available: str, offered: bool, raw: Path, run: Run
) -> None:
    (raw / "shop.toml").write_text(f'{ONE_CSV}[items]\nfile = "items.csv"\nitem_id = "id"\n{available}')
    (raw / "log.csv").write_text("Wann,Artikel,Kunde Nr.\n2024-01-02,b,5\n2024-01-03,only,5\n")
    (raw / "items.csv").write_text("id,sold\nb,yes\n")
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 0, result.stderr
    assert [(item["item_id"], item["title"], item["available"]) for item in result.rows("items")] == [
        ("b", "Product b", True),
        ("only", "Product only", offered),
    ]
    assert result.report["notes"]["items_without_details"] == 1


def test_the_files_may_lie_elsewhere(shop: Path, run: Run, tmp_path: Path) -> None:
    mapping = tmp_path / "shop.toml"
    (shop / "shop.toml").rename(mapping)
    assert run("mapping", "--mapping", mapping).code == 2
    assert run("mapping", "--mapping", mapping, "--path", shop).code == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        ('user_id = "Kunde Nr."', "", "[events] user_id: is missing"),
        ('type = "Was"', 'type = "Was"\ntype_constant = "view"', "[events] type: name the column"),
        ('Klick = "view"', 'Klick = "glance"', "'glance' is no event type"),
        ('delimiter = ";"', 'delimiter = "::"', "[events] delimiter: must be one character"),
        ('delimiter = ";"', 'delimeter = ";"', "[events] delimeter: unknown key"),
        ('name = "tags"', 'name = "brand"', "'brand' has a key of its own"),
        ('positive = ["purchase"]', 'positive = ["sale"]', "'sale' is no event type"),
        ('name = "hobbies"', 'name = "age"', "'age' is there twice"),
        ('kind = "number"', 'kind = "float"', "kind: must be one of"),
    ],
)
def test_a_mistake_in_the_mapping_is_told_with_file_and_key(
    old: str, new: str, told: str, shop: Path, run: Run
) -> None:
    (shop / "shop.toml").write_text(ALL.replace(old, new), encoding="utf-8")
    result = run("mapping", "--mapping", shop / "shop.toml")
    assert result.code == 2
    assert result.stderr.startswith(f"error: {shop / 'shop.toml'}: ")
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


@pytest.mark.parametrize(
    ("file", "content", "told"),
    [
        ("log.txt", b"Kunde Nr.,Artikel,Wann,Was,Betrag\n", "log.txt:1: column 'Kunde Nr.' is missing"),
        ("artikel.parquet", b"PAR1 not really", "artikel.parquet: no readable Parquet file"),
        ("artikel.parquet", b"", "artikel.parquet: no readable Parquet file"),
        ("kunden.csv", b"", "kunden.csv: the file is empty"),
        (
            "log.txt",
            b"Kunde Nr.;Artikel;Wann;Was;Betrag\n1;a;01.01.2024 10:00;Raub;1\n",
            "log.txt:2: 1 of 1 rows of events",
        ),
    ],
)
def test_a_bad_file_is_told_in_one_line(file: str, content: bytes, told: str, shop: Path, run: Run) -> None:
    (shop / file).write_bytes(content)
    result = run("mapping", "--mapping", shop / "shop.toml")
    assert result.code == 2
    assert told in result.stderr
    assert result.stderr.count("\n") == 1


def test_bad_parquet_values_are_rejected_with_their_row(shop: Path, run: Run) -> None:
    columns = {"sku": ["a", None, "a"], "name": ["A"] * 3, "pfad": ["x"] * 3, "preis": ["1", "2", "3"]}
    columns |= {"marke": ["S"] * 3, "da": ["yes"] * 3, "seit": [None] * 3, "tags": ["t"] * 3}
    pq.write_table(pa.table(columns), shop / "artikel.parquet")
    result = run("mapping", "--mapping", shop / "shop.toml", "--max-reject-rate", "0.7")
    assert [row[:3] for row in result.rejects] == [
        ["artikel.parquet", "2", "no sku"],
        ["artikel.parquet", "3", "duplicate sku"],
    ]


def test_the_examples_of_the_reference_are_valid_mappings(tmp_path: Path) -> None:
    reference = (Path(__file__).parents[3] / "data" / "README.md").read_text(encoding="utf-8")
    examples = re.findall(r"```toml\n(.*?)```", reference, re.DOTALL)
    names = []
    for example in examples:
        (tmp_path / "shop.toml").write_text(example, encoding="utf-8")
        names.append(load_mapping(tmp_path / "shop.toml").dataset.name)
    assert names == ["myshop", "teddyshop"]


@pytest.mark.parametrize(
    ("text", "price"), [("28,21", 28.21), ("1.234,50", 1234.5), ("7", 7.0), ("", None), ("28.21", "bad")]
)
def test_prices_may_have_a_decimal_comma(tmp_path: Path, text: str, price: float | str | None) -> None:
    (tmp_path / "log.csv").write_text(
        f'Kunde Nr.;Artikel;Wann;VK\n1;a;2024-01-01T00:00:00;"{text}"\n', "utf-8"
    )
    mapping = tmp_path / "shop.toml"
    events = 'file = "log.csv"\ndelimiter = ";"\ndecimal = ","'
    mapping.write_text(ONE_CSV.replace('file = "log.csv"', events) + '[items]\nprice = "VK"\n', "utf-8")
    arguments = ["mapping", "--mapping", str(mapping), "--out", str(tmp_path / "prepared")]

    status = prepare.main(arguments)

    assert (status == 0) == (price != "bad")
    if status == 0:
        items = pq.read_table(tmp_path / "prepared" / "shop" / "items.parquet")
        assert items["price"].to_pylist() == [price]


GUESTS = ONE_CSV + 'allow = { "no user_id" = 0.5 }\n'


def test_one_reason_may_be_allowed_more_than_others(raw: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(GUESTS)
    head, row, guest = "Kunde Nr.,Artikel,Wann\n", "1,a,2024-01-02\n", ",a,2024-01-02\n"
    (raw / "log.csv").write_text(head + row * 10 + guest * 10)
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert (result.code, result.report["tables"]["events"]["kept"]) == (0, 10)
    (raw / "log.csv").write_text(head + row * 10 + guest * 11)
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert result.code == 2
    assert "11 of 21 rows of events rejected (52.4%, allowed 50.0% for this reason): 11 no Kunde Nr." in (
        result.stderr
    )
    result = run("mapping", "--mapping", raw / "shop.toml", "--allow", "no Kunde Nr.=0.6")
    assert result.code == 0
    (raw / "log.csv").write_text(head + row * 10 + guest * 10 + "1,,2024-01-02\n")
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert "1 of 21 rows of events rejected (4.8%, allowed 1.0%): 1 no Artikel." in result.stderr


def test_an_allowance_that_is_no_share_is_told(raw: Path, run: Run) -> None:
    (raw / "shop.toml").write_text(GUESTS.replace("0.5", "25"))
    result = run("mapping", "--mapping", raw / "shop.toml")
    assert "[events] allow.no user_id: must be a share between 0 and 1, not 25" in result.stderr
