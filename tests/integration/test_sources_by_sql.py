"""Tables by SQL from real databases: what is read, that nothing is written, and what a mistake tells."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import sqlalchemy

from data.prepare import main
from data.readers.database import database_url
from data.rows import BATCH_ROWS
from tests.support.databases import MARIADBD, PASSWORD, mariadb, postgresql, postgresql_programs

pytestmark = pytest.mark.integration

MAPPING = '''
[dataset]
name = "shop"
title = "Shop"

[events]
sql = """
    SELECT o.customer, l.article, o.at, l.n * l.price AS paid FROM orders o JOIN order_lines l ON l.o = o.id
    WHERE o.note NOT LIKE '%:test%' ORDER BY o.id
"""
url_env = "SHOP_DB_URL"
user_id = "customer"
item_id = "article"
time = "at"
type_constant = "purchase"
value = "paid"

[items]
sql = "SELECT * FROM articles"
url_env = "SHOP_DB_URL"
item_id = "id"
title = "name"
price = "price"
available = "sold"
'''
ORDERS, ROWS = 50, BATCH_ROWS + 7  # more than is read at once

SERVERS = ["sqlite"]
if postgresql_programs() is not None:
    SERVERS.append("postgresql")
if Path(MARIADBD).exists():
    SERVERS.append("mysql")


@pytest.fixture(scope="module", params=["sqlite", "postgresql", "mysql"])
def url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The address of a database of each kind, with a shop in it."""
    kind: str = request.param
    if kind not in SERVERS:
        pytest.skip(f"no {kind} server is installed")
    folder = tmp_path_factory.mktemp(kind)
    if kind == "sqlite":
        (folder / "shop.db").touch()
        fill(f"sqlite:///{folder / 'shop.db'}", folder)
        yield f"sqlite:///{folder / 'shop.db'}"
        return
    programs = postgresql_programs()
    server = postgresql(programs) if kind == "postgresql" and programs else mariadb()
    with server as address:
        fill(address, folder)
        yield address


def fill(address: str, folder: Path) -> None:
    """Orders with lines, and articles."""
    place = database_url(address, "", folder)
    if place.drivername == "sqlite":
        place = sqlalchemy.make_url(address)
    engine = sqlalchemy.create_engine(place)
    with engine.begin() as connection:
        for statement in (
            "CREATE TABLE orders (id INTEGER PRIMARY KEY, customer VARCHAR(9), at TIMESTAMP, note TEXT)",
            "CREATE TABLE order_lines (o INTEGER, article INTEGER, n INTEGER, price DECIMAL(8, 2))",
            "CREATE TABLE articles (id INTEGER, name VARCHAR(40), price DECIMAL(8, 2), sold BOOLEAN)",
        ):
            connection.execute(sqlalchemy.text(statement))
        connection.execute(
            sqlalchemy.text("INSERT INTO articles VALUES (:id, :name, :price, :sold)"),
            [
                {"id": 1, "name": "Käse 100 %", "price": 2.5, "sold": True},
                {"id": 2, "name": None, "price": None, "sold": False},
            ],
        )
        connection.execute(
            sqlalchemy.text("INSERT INTO orders VALUES (:id, :customer, :at, :note)"),
            [
                {"id": n, "customer": f"k{n}", "at": f"2024-01-{1 + n % 28:02} 10:00:00", "note": "-"}
                for n in range(ORDERS)
            ]
            + [{"id": -1, "customer": "tester", "at": "2024-01-01 10:00:00", "note": "a:test"}],
        )
        connection.execute(
            sqlalchemy.text("INSERT INTO order_lines VALUES (:o, :article, :n, :price)"),
            [{"o": -1, "article": 1, "n": 2, "price": 1.25}]
            + [{"o": n % ORDERS, "article": 1 + n % 3, "n": 2, "price": 1.25} for n in range(ROWS)],
        )
    engine.dispose()


def prepared(folder: Path, text: str = MAPPING) -> int:
    (folder / "shop.toml").write_text(text, "utf-8")
    return main(["mapping", "--mapping", str(folder / "shop.toml"), "--out", str(folder / "out")])


def test_a_query_is_streamed_with_its_types(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SHOP_DB_URL", url)
    assert prepared(tmp_path) == 0, capsys.readouterr().err
    events = pq.read_table(tmp_path / "out" / "shop" / "events.parquet").to_pylist()
    assert len(events) == ROWS
    assert {event["value"] for event in events} == {2.5}
    assert "tester" not in {event["user_id"] for event in events}
    assert str(events[0]["at"]) == "2024-01-01 10:00:00"
    items = pq.read_table(tmp_path / "out" / "shop" / "items.parquet").to_pylist()
    assert [(item["title"], item["price"], item["available"]) for item in items][:2] == [
        ("Käse 100 %", 2.5, True),
        ("Product 2", None, False),
    ]
    assert prepared(tmp_path) == 0
    assert "up to date" not in capsys.readouterr().out  # nothing tells whether a database has changed


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("SELECT customer FROM nowhere", "nowhere"),
        ("SELECT customer FROM orders", "column 'article' is missing"),
        ("DELETE FROM orders", ""),
        ("SELEC 1", ""),
    ],
)
def test_a_wrong_query_is_told_in_one_line_and_changes_nothing(
    sql: str,
    told: str,
    url: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("SHOP_DB_URL", url)
    begin, end = MAPPING.index("SELECT o."), MAPPING.index('"""\nurl_env')
    assert prepared(tmp_path, MAPPING[:begin] + sql + MAPPING[end:]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert told in error
    assert PASSWORD not in error
    engine = sqlalchemy.create_engine(database_url(url, "", tmp_path))
    with engine.connect() as connection:
        assert connection.execute(sqlalchemy.text("SELECT count(*) FROM orders")).scalar() == ORDERS + 1
    engine.dispose()


def test_a_server_that_refuses_us_is_told_in_one_line_without_the_password(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    address = sqlalchemy.make_url(url)
    if address.drivername == "sqlite":
        wrong, told = "sqlite:///elsewhere.db", f"{tmp_path / 'elsewhere.db'}: no such SQLite file"
    else:
        wrong, told = address.set(password="not-the-pass").render_as_string(False), f":{address.port}/"
    monkeypatch.setenv("SHOP_DB_URL", wrong)
    assert prepared(tmp_path) == 2
    error = capsys.readouterr().err
    assert told in error
    assert error.count("\n") == 1
    assert "not-the-pass" not in error
    assert not (tmp_path / "elsewhere.db").exists()
