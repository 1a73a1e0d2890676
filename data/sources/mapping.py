"""A shop's own CSV or Parquet files, by a mapping file: no code to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from data.columns import Columns
from data.dataset import Dataset
from data.errors import DataError
from data.parquet_rows import parquet_rows, read_parquet_rows
from data.sources.base import Options, Progress, stream
from data.sources.mapping_config import FeatureColumn, TableFile, load_mapping
from data.sources.mapping_config import Mapped as Config
from data.writer import PreparedWriter


class Mapped:
    """The files named by the mapping file (--mapping), in the folder of --path or beside the mapping file."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self._config: Config | None = None

    def files(self) -> Sequence[Path]:
        """The events' file, then the users' and items' where they have their own."""
        config = self._load()
        files = [
            self._place(table)
            for table in (config.events_file, config.users_file, config.items_file)
            if table
        ]
        for file in files:
            if not file.is_file():
                raise DataError(f"{file}: no such file (named by {self._options.mapping})")
        # The mapping is part of the input: other columns give another dataset.
        return [*files, self._mapping()]

    def describe(self) -> Dataset:
        """As the mapping file says."""
        return self._load().dataset

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users and items of their own files first, then events; what only these know is added then."""
        config = self._load()
        if config.users_file:
            for cols in self._stream(config.users_file, "users", _user_columns(config), out, progress):
                users = _users(cols, config)
                cols.unique(users["user_id"], out.user_ids, config.users.user_id)
                out.users(cols.keep(users))
        if config.items_file:
            for cols in self._stream(config.items_file, "items", _item_columns(config), out, progress):
                items = _items(cols, config)
                cols.unique(items["item_id"], out.item_ids, config.items.item_id)
                out.items(cols.keep(items))
        for cols in self._stream(config.events_file, "events", _event_columns(config), out, progress):
            self._events(cols, config, out)

    def _events(self, cols: Columns, config: Config, out: PreparedWriter) -> None:
        columns = {f"event.{name}": array for name, array in _events(cols, config).items()}
        if not config.users_file:
            columns |= {f"user.{name}": array for name, array in _users(cols, config).items()}
        if not config.items_file:
            columns |= {f"item.{name}": array for name, array in _items(cols, config).items()}
        kept = cols.keep(columns)
        events = _part(kept, "event.")
        if config.users_file:
            out.add_missing_users(events["user_id"])
        else:
            new = pa.array(out.user_ids.add(events["user_id"]))
            out.users({name: array.filter(new) for name, array in _part(kept, "user.").items()})
        if config.items_file:
            # Where availability is told, an item that the table lacks counts as delisted (docs/adr/0011).
            out.add_missing_items(events["item_id"], available=config.items.available is None)
        else:
            new = pa.array(out.item_ids.add(events["item_id"]))
            out.items({name: array.filter(new) for name, array in _part(kept, "item.").items()})
        out.events(events)

    def _stream(
        self, table: TableFile, name: str, required: Sequence[str], out: PreparedWriter, progress: Progress
    ) -> Iterator[Columns]:
        path = self._place(table)
        for reason, share in table.allow.items():
            out.rejects.allow(name, reason, share)
        if not table.is_parquet:
            yield from stream(path, name, required, out.rejects, progress, table.form, table.nulls)
            return
        with progress(f"{name}: {path.name}", parquet_rows(path), "row") as advance:
            for rows in read_parquet_rows(path, name, required, out.rejects, advance):
                yield Columns(rows, out.rejects, table.nulls, table.form.decimal)

    def _mapping(self) -> Path:
        if self._options.mapping is None:
            raise DataError(
                "mapping: name the mapping file with --mapping FILE (data/README.md is its reference)"
            )
        return self._options.mapping

    def _load(self) -> Config:
        if self._config is None:
            self._config = load_mapping(self._mapping())
        return self._config

    def _place(self, table: TableFile) -> Path:
        return (self._options.path or self._mapping().parent) / table.name


def _part(columns: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in columns.items() if name.startswith(prefix)}


def _event_columns(config: Config) -> list[str]:
    events = config.events
    names = [events.user_id, events.item_id, events.time, events.type, events.value]
    if not config.users_file:
        names += _user_columns(config)[1:]
    if not config.items_file:
        names += _item_columns(config)[1:]
    return [name for name in names if name]


def _user_columns(config: Config) -> list[str]:
    return [config.users.user_id, *(column.column for column in config.users.features)]


def _item_columns(config: Config) -> list[str]:
    items = config.items
    single = (items.title, items.brand, items.shop, items.price, items.available, items.listed_at)
    content = (items.description, items.url, items.image_url, items.variant_of)
    names = [
        items.item_id,
        *single,
        *content,
        *items.categories,
        *(column.column for column in items.features),
    ]
    return [name for name in names if name]


def _events(cols: Columns, config: Config) -> dict[str, Any]:
    events = config.events
    if events.type:
        types = cols.choice(events.type, events.types)
    else:
        types = cols.constant(events.constant_type, pa.string())
    value = cols.number(events.value).fill_null(1.0) if events.value else cols.constant(1.0, pa.float64())
    return {
        "user_id": cols.ids(events.user_id),
        "item_id": cols.ids(events.item_id),
        "type": types,
        "at": cols.time(events.time, events.time_format),
        "value": value.cast(pa.float32()),
        "origin": cols.origin(),
    }


def _users(cols: Columns, config: Config) -> dict[str, Any]:
    # Without a file of their own, users have the events' column for their id.
    id_column = config.users.user_id if config.users_file else config.events.user_id
    features = {column.feature.name: _feature(cols, column) for column in config.users.features}
    return {"user_id": cols.ids(id_column), **features}


def _items(cols: Columns, config: Config) -> dict[str, Any]:
    items = config.items
    ids = cols.ids(items.item_id if config.items_file else config.events.item_id)
    untitled = pc.binary_join_element_wise("Product", ids, " ")
    columns = {
        "item_id": ids,
        "title": pc.coalesce(cols.text(items.title), untitled) if items.title else untitled,
        "category_path": _path(cols, items.categories, items.category_separator),
    }
    for name, column in (("brand", items.brand), ("shop", items.shop)):
        if column:
            columns[name] = cols.category(column)
    if items.price:
        columns["price"] = cols.number(items.price, minimum=0)
    if items.available:
        yes = pa.array(items.available_values, pa.string())
        columns["available"] = pc.is_in(cols.text(items.available), yes)
    if items.listed_at:
        columns["listed_at"] = cols.time(items.listed_at, items.listed_at_format, required=False)
    for name, column in (
        ("description", items.description),
        ("url", items.url),
        ("image_url", items.image_url),
    ):
        if column:
            columns[name] = cols.text(column)
    if items.variant_of:
        columns["variant_of"] = cols.category(items.variant_of)
    for feature in items.features:
        columns[feature.feature.name] = _feature(cols, feature)
    return columns


def _feature(cols: Columns, column: FeatureColumn) -> Any:
    if column.feature.kind == "number":
        return cols.number(column.column)
    values = cols.category(column.column)
    return _split(values, column.separator) if column.feature.kind == "multi" else values


def _split(values: Any, separator: str) -> Any:
    lists = [
        None if text is None else [part.strip() for part in text.split(separator) if part.strip()]
        for text in values.to_pylist()
    ]
    return pa.array(lists, pa.list_(pa.string()))


def _path(cols: Columns, names: Sequence[str], separator: str) -> Any:
    """Category paths from one column a level, or from one column with a separator between the levels."""
    levels = [cols.category(name).to_pylist() for name in names]
    paths: list[list[str]] = []
    for row in range(len(cols)):
        texts = [level[row] for level in levels]
        if separator:
            texts = [part.strip() for text in texts if text for part in text.split(separator)]
        paths.append([text for text in texts if text])
    return pa.array(paths, pa.list_(pa.string()))
