"""Rows to load, read as a stream and checked: prepared tables, the original's files."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
import pyarrow.parquet as pq

from data.canonical import items_schema, users_schema
from data.dataset import further_item_features, load_dataset
from data.errors import DataError
from engine.dataset import Dataset
from engine.errors import InvalidArgument
from engine.records import CONTENT
from engine.types import AttributeValue, Item, profile_features
from scripts.redis_load.problems import BadData, Problems
from services.common.validate import check_attributes, check_id
from services.item.codec import item_to_json
from services.item.service import check_item

BATCH_ROWS = 5_000
ORIGINAL_USER = ("age", "sex", "city_level", "province", "city", "country")


class Row(NamedTuple):
    """A value to store under an id."""

    id: str
    value: str | bytes
    available: bool = True


@dataclass(frozen=True)
class Part:
    """One part of a load. `rows` may be read more than once and gives the same rows in the same order."""

    name: str
    files: tuple[Path, ...]
    total: int | None
    rows: Callable[[Problems], Iterator[Row]]
    may_be_empty: bool = False


def open_dataset(folder: Path) -> Dataset:
    """The description of a prepared dataset. Raises BadData."""
    try:
        return load_dataset(folder / "dataset.toml")
    except (DataError, OSError) as error:
        raise BadData(_one_line(folder / "dataset.toml", error)) from error


def prepared_users(folder: Path, dataset: Dataset) -> Part:
    """users.parquet."""
    file = folder / "users.parquet"
    names = [feature.name for feature in dataset.user_features]

    def rows(problems: Problems) -> Iterator[Row]:
        for line, row in _table(file, users_schema(dataset)):
            try:
                user_id = check_id("user_id", row["user_id"] or "")
                attributes = _attributes(row, names)
                check_attributes("features", attributes)
            except InvalidArgument as error:
                problems.add(file, line, str(error))
                continue
            yield Row(user_id, _user_json(user_id, profile_features(attributes)))

    return Part("users", (file,), count_rows(file), rows)


def prepared_items(folder: Path, dataset: Dataset) -> Part:
    """items.parquet."""
    file = folder / "items.parquet"
    names = [feature.name for feature in further_item_features(dataset)]

    def rows(problems: Problems) -> Iterator[Row]:
        for line, row in _table(file, items_schema(dataset)):
            try:
                price = row["price"]
                item = Item(
                    item_id=row["item_id"] or "",
                    title=row["title"] or "",
                    category_path=tuple(level or "" for level in row["category_path"] or ()),
                    brand=row["brand"] or "",
                    shop=row["shop"] or "",
                    price=None if price is None or math.isnan(price) else price,
                    available=row["available"] is not False,
                    listed_at_ms=max(row["listed_at"] or 0, 0),
                    attributes=_attributes(row, names),
                    **{name: row[name] or "" for name in CONTENT},
                )
                item = check_item("item", item)
            except InvalidArgument as error:
                problems.add(file, line, str(error))
                continue
            yield Row(item.item_id, item_to_json(item), item.available)

    return Part("items", (file,), count_rows(file), rows)


def original_users(file: Path) -> Part:
    """The original's users.dat: user_id:age:sex:city_level:province:city:country, kept as written."""

    def rows(problems: Problems) -> Iterator[Row]:
        for line, fields in _lines(file, 1 + len(ORIGINAL_USER), problems):
            try:
                user_id = check_id("user_id", fields[0])
                profile = dict(zip(ORIGINAL_USER, fields[1:], strict=True))
                check_attributes("features", profile)
            except InvalidArgument as error:
                problems.add(file, line, str(error))
                continue
            yield Row(user_id, _user_json(user_id, profile))

    return Part("users", (file,), None, rows)


def original_items(file: Path) -> Part:
    """The original's products.dat: item, brand, shop and category, separated by colons."""

    def rows(problems: Problems) -> Iterator[Row]:
        for line, (item_id, brand, shop, leaf) in _lines(file, 4, problems):
            item = Item(item_id, category_path=(leaf,) if leaf else (), brand=brand, shop=shop)
            try:
                item = check_item("item", item)
            except InvalidArgument as error:
                problems.add(file, line, str(error))
                continue
            yield Row(item.item_id, item_to_json(item))

    return Part("items", (file,), None, rows)


def open_table(file: Path, schema: Any) -> Any:
    """A Parquet file that has the columns of `schema`, cast to its types as it is read. Raises BadData."""
    try:
        table = pq.ParquetFile(file)
    except (OSError, pa.ArrowException) as error:
        raise BadData(_one_line(file, error)) from error
    missing = [name for name in schema.names if name not in table.schema_arrow.names]
    if missing:
        raise BadData(f"{file}: has no column {missing[0]!r}; prepare the data again")
    return table


def batches(file: Path, schema: Any, rows: int) -> Iterator[Any]:
    """Record batches of the columns of `schema`, in its types. Raises BadData."""
    try:
        for batch in open_table(file, schema).iter_batches(rows, columns=schema.names):
            yield pa.table({field.name: batch[field.name].cast(field.type) for field in schema})
    except (OSError, pa.ArrowException) as error:
        raise BadData(_one_line(file, error)) from error


def _table(file: Path, schema: Any) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Rows with their numbers from 1; times as milliseconds."""
    plain = pa.schema([field.with_nullable(True) for field in schema])
    line = 0
    for batch in batches(file, plain, BATCH_ROWS):
        for at, field in enumerate(plain):
            if pa.types.is_timestamp(field.type):
                batch = batch.set_column(at, field.name, batch.column(at).cast(pa.int64()))  # noqa: PLW2901
        for row in batch.to_pylist():
            line += 1
            yield line, row


def count_rows(file: Path) -> int:
    """How many rows a Parquet file has. Raises BadData."""
    try:
        rows: int = pq.ParquetFile(file).metadata.num_rows
    except (OSError, pa.ArrowException) as error:
        raise BadData(_one_line(file, error)) from error
    return rows


def _lines(file: Path, fields: int, problems: Problems) -> Iterator[tuple[int, list[str]]]:
    """The colon-separated fields of each line that is not blank."""
    try:
        with file.open("rb") as stream:
            for line, raw in enumerate(stream, 1):
                try:
                    text = raw.decode().rstrip("\r\n")
                except UnicodeDecodeError:
                    problems.add(file, line, "is not UTF-8 text")
                    continue
                if not text.strip():
                    continue
                parts = [part.strip() for part in text.split(":")]
                if len(parts) != fields:
                    problems.add(file, line, f"has {len(parts)} fields separated by ':', expected {fields}")
                    continue
                yield line, parts
    except OSError as error:
        raise BadData(_one_line(file, error)) from error


def _attributes(row: Mapping[str, Any], names: list[str]) -> dict[str, AttributeValue]:
    """The features that are known."""
    known: dict[str, AttributeValue] = {}
    for name in names:
        value = row[name]
        if isinstance(value, list):
            known[name] = tuple(text for text in value if text is not None)
        elif value is not None and value == value:  # noqa: PLR0124 - NaN is the one that is not itself
            known[name] = value
    return known


def _user_json(user_id: str, profile: Mapping[str, str | list[str]]) -> str:
    return json.dumps({"user_id": user_id, **profile}, ensure_ascii=False)


def _one_line(file: Path, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{file}: there is no such file"
    text = " ".join(str(error).split()) or type(error).__name__
    return text if str(file) in text else f"{file}: {text}"
