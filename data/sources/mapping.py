"""A shop's own files or database, by a mapping file: no code to write."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from data.columns import Columns
from data.errors import DataError
from data.finishing import RETURN, Finish
from data.idset import IdSet
from data.readers.reading import read_table
from data.readers.table_file import TableFile
from data.rows import Rows
from data.sources.base import Options, Progress
from data.sources.mapping_config import FeatureColumn, event_columns, item_columns, load_mapping, user_columns
from data.sources.mapping_config import Mapped as Config
from data.sources.mapping_filters import TAKE_BACK
from data.sources.mapping_rows import Part, event_parts, only_products, where
from data.writer import PreparedWriter
from engine.dataset import Dataset

Ints = npt.NDArray[np.int64]


class Mapped:
    """The files named by the mapping file (--mapping), in the folder of --path or beside the mapping file."""

    has_events = True

    def __init__(self, options: Options) -> None:
        self._options = options
        self._config: Config | None = None

    def files(self) -> Sequence[Path]:
        """The events' files, then the users' and items' where they have their own."""
        config = self._load()
        tables = (config.events_file, config.users_file, config.items_file)
        try:
            files = [file for table in tables if table for file in table.paths(self._folder())]
        except DataError as error:
            raise DataError(f"{error} (named by {self._options.mapping})") from None
        # The mapping is part of the input: other columns give another dataset.
        return [*files, self._mapping()]

    @property
    def always_read(self) -> bool:
        """A database may have changed since the last run, and only reading it would tell."""
        config = self._load()
        tables = (config.events_file, config.users_file, config.items_file)
        return any(table.is_query for table in tables if table)

    def describe(self) -> Dataset:
        """As the mapping file says."""
        return self._load().dataset

    def write(self, out: PreparedWriter, progress: Progress) -> None:
        """Users and items of their own files first, then events; what only these know is added then."""
        config = self._load()
        if config.users_file:
            for cols in self._users_of(config, out, progress):
                users = _users(cols, config)
                cols.unique(users["user_id"], out.user_ids, config.users.user_id)
                out.users(cols.keep(users))
        no_products = IdSet()
        if config.items_file:
            for cols in self._items_of(config, no_products, out, progress):
                items = _items(cols, config)
                cols.unique(items["item_id"], out.item_ids, config.items.item_id)
                out.items(cols.keep(items))
        events = config.events
        taken_back = events.returns is not None and events.returns.do == TAKE_BACK
        out.finish = Finish(events.drop_duplicates, taken_back, events.time is None)
        order = 0
        for rows in self._rows(config.events_file, "events", event_columns(config), out, progress):
            for part in event_parts(rows, config, no_products, out.rejects):
                positions = order + np.searchsorted(rows.lines, part.cols.rows.lines)
                self._events(part, positions, config, out)
            order += len(rows.lines)

    def _users_of(self, config: Config, out: PreparedWriter, progress: Progress) -> Iterator[Columns]:
        file = cast(TableFile, config.users_file)
        for rows in self._rows(file, "users", user_columns(config), out, progress):
            kept = where(rows, config.users.where, file, out.rejects)
            yield Columns(kept, out.rejects, file.nulls, file.form.decimal)

    def _items_of(
        self, config: Config, no_products: IdSet, out: PreparedWriter, progress: Progress
    ) -> Iterator[Columns]:
        file = cast(TableFile, config.items_file)
        for rows in self._rows(file, "items", item_columns(config), out, progress):
            kept = where(rows, config.items.where, file, out.rejects)
            products = only_products(kept, config, file, no_products, out.rejects)
            yield Columns(products, out.rejects, file.nulls, file.form.decimal)

    def _events(self, part: Part, positions: Ints, config: Config, out: PreparedWriter) -> None:
        cols, events = part.cols, _events(part, positions, config)
        if part.kind == RETURN:  # no event of its own: it makes nobody a shopper and nothing an item
            out.events(cols.keep(events))
            return
        columns = {f"event.{name}": array for name, array in events.items()}
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

    def _rows(
        self, table: TableFile, name: str, required: Sequence[str], out: PreparedWriter, progress: Progress
    ) -> Iterator[Rows]:
        for reason, share in table.allow.items():
            out.rejects.allow(name, reason, share)
        return read_table(table, self._folder(), name, required, out.rejects, progress)

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

    def _folder(self) -> Path:
        return self._options.path or self._mapping().parent


def _part(columns: dict[str, Any], prefix: str) -> dict[str, Any]:
    return {name.removeprefix(prefix): array for name, array in columns.items() if name.startswith(prefix)}


def _events(part: Part, positions: Ints, config: Config) -> dict[str, Any]:
    events, cols = config.events, part.cols
    if part.kind:
        types = cols.constant(part.kind, pa.string())
    elif events.type:
        types = cols.choice(events.type, events.types)
    else:
        types = cols.constant(events.constant_type, pa.string())
    if events.time:
        at = cols.time(events.time, events.time_format)
    else:
        at = pa.array(positions).cast(pa.timestamp("ms"))
    value = _value(cols, events.value)
    return {
        "user_id": cols.ids(events.user_id),
        "item_id": cols.ids(events.item_id),
        "type": types,
        "at": at,
        # A return's quantity is negative.
        "value": (pc.abs(value) if part.kind else value).cast(pa.float32()),
        "origin": cols.origin(),
    }


def _value(cols: Columns, columns: Sequence[str]) -> Any:
    """The product of the columns' numbers; 1 where one of them is unknown."""
    value = cols.constant(1.0, pa.float64())
    for name in columns:
        value = pc.multiply(value, cols.number(name))
    return value.fill_null(1.0)


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
