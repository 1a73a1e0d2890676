"""Reading a table by SQL: SQLite, PostgreSQL or MySQL, streamed, and never written to."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import sqlalchemy
from sqlalchemy.engine import URL, Connection, Engine
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import NullPool

from data.errors import DataError
from data.readers.typed import batches, missing_column, text_of
from data.rows import BATCH_ROWS, Advance, Rows

_DRIVERS = {
    "sqlite": "sqlite",
    "postgresql": "postgresql+psycopg",
    "postgres": "postgresql+psycopg",
    "postgresql+psycopg": "postgresql+psycopg",
    "mysql": "mysql+pymysql",
    "mariadb": "mysql+pymysql",
    "mysql+pymysql": "mysql+pymysql",
}
_CONNECT_SECONDS = 10
_READ_ONLY = {
    "sqlite": "PRAGMA query_only = ON",
    "postgresql": "SET TRANSACTION READ ONLY",
    "mysql": "SET SESSION TRANSACTION READ ONLY",
}


def url_problem(text: str) -> str:
    """Why a mapping file may not have this URL, in one line; nothing if it may."""
    try:
        url = _parsed(text)
    except DataError as error:
        return str(error)
    if url.password is not None:
        return "holds a password: put the address into an environment variable and name that by url_env"
    return ""


def database_url(url: str, variable: str, folder: Path) -> URL:
    """The address from the mapping file or the environment; a SQLite file lies below `folder`."""
    text = url or os.environ.get(variable, "")
    if not text:
        raise DataError(
            f"{variable}: this environment variable must hold the database's address, "
            "as postgresql://user:password@host/database"
        )
    parsed = _parsed(text)
    if parsed.drivername != "sqlite":
        return parsed
    place = folder / (parsed.database or "")
    if not place.is_file():
        raise DataError(f"{place}: no such SQLite file")
    return parsed.set(database=f"file:{place.resolve()}", query={"mode": "ro", "uri": "true"})


def read_query(
    url: URL, sql: str, table: str, required: Sequence[str], decimal: str, advance: Advance
) -> Iterator[Rows]:
    """Stream the result of one query; `advance` is told rows, a row's line is its number from 1.

    Raises `DataError`, without the password: no connection, a wrong query, a missing column.
    """
    engine = _engine(url)
    try:
        with engine.connect() as connection, closing(_started(connection, sql)) as result:
            columns = [str(name) for name in result.keys()]  # noqa: SIM118 - no mapping, this is its method
            for name in required:
                if columns.count(name) != 1:
                    raise DataError(missing_column(shown(url), name, columns))
            texts = (
                (number, [text_of(value, decimal) for value in row]) for number, row in enumerate(result, 1)
            )
            for batch in batches(table, shown(url), columns, texts):
                advance(len(batch.fields))
                yield batch
    except SQLAlchemyError as error:
        raise DataError(f"{shown(url)}: {_reason(error, url)}") from None
    finally:
        engine.dispose()


def shown(url: URL) -> str:
    """An address for messages: no user, no password, no parameters."""
    if url.get_backend_name() == "sqlite":
        return (url.database or "").removeprefix("file:")
    place = f"{url.host or 'localhost'}:{url.port}" if url.port else url.host or "localhost"
    return f"{url.get_backend_name()}://{place}/{url.database or ''}"


def _parsed(text: str) -> URL:
    try:
        url = sqlalchemy.make_url(text)
    except (ArgumentError, ValueError):
        raise DataError("no address of a database, as postgresql://user@host/database") from None
    if url.drivername not in _DRIVERS:
        known = "sqlite:///, postgresql:// or mysql://"
        raise DataError(f"{url.drivername}:// is not known: the address starts with {known}")
    return url.set(drivername=_DRIVERS[url.drivername])


def _engine(url: URL) -> Engine:
    timeout = {} if url.get_backend_name() == "sqlite" else {"connect_timeout": _CONNECT_SECONDS}
    return sqlalchemy.create_engine(url, poolclass=NullPool, connect_args=timeout)


def _started(connection: Connection, sql: str) -> Any:
    connection.exec_driver_sql(_READ_ONLY[connection.engine.url.get_backend_name()])
    if connection.engine.url.get_backend_name() == "mysql":
        connection.commit()  # it holds from the session's next transaction on
    # A colon or a % in the query is no parameter.
    options = {"stream_results": True, "max_row_buffer": BATCH_ROWS, "no_parameters": True}
    result = connection.exec_driver_sql(sql.strip().rstrip(";"), execution_options=options)
    if not result.returns_rows:
        raise DataError("sql: gives no rows; it must be one SELECT")
    return result


def _reason(error: SQLAlchemyError, url: URL) -> str:
    cause = getattr(error, "orig", None) or error
    lines = [line.strip() for line in str(cause).splitlines() if line.strip()]
    text = re.sub(r"\s+", " ", "; ".join(lines[:2]))[:300] or type(cause).__name__
    return text.replace(str(url.password), "***") if url.password else text
