"""Canonical tables as arrays: profiles, item records and each user's events in order of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow.compute as pc
import pyarrow.parquet as pq

from engine.dataset import Dataset, dataset_from_toml
from engine.features import History, ItemTable, canonical
from engine.features.context import ages_in_days
from engine.features.schema import as_number
from engine.records import CONTENT, FIELDS, ID, item_record
from engine.vocabulary import EVENT_CODE, HISTORY_EVENT_TYPES

IntArray = npt.NDArray[np.int64]
Record = dict[str, Any]


class DataFault(Exception):
    """Prepared data cannot be trained on; the message is one line that names the file and what to do."""


@dataclass(frozen=True)
class Events:
    """E events, sorted by user, then time. ``start[u] : start[u + 1]`` are user u's, oldest first."""

    start: IntArray  # [U + 1]
    user: IntArray  # [E]
    item: IntArray  # [E] index in PreparedData.item_ids, -1 = not listed there
    type: npt.NDArray[np.int8]  # [E] index in HISTORY_EVENT_TYPES
    at: IntArray  # [E] ms

    def before(self, user: int, moment: int, limit: int) -> slice:
        """The user's newest events strictly before the moment, at most ``limit``."""
        first, last = int(self.start[user]), int(self.start[user + 1])
        stop = first + int(np.searchsorted(self.at[first:last], moment, side="left"))
        return slice(max(first, stop - limit), stop)

    def between(self, user: int, begin: int, end: int) -> slice:
        """The user's events in [begin, end)."""
        first, last = int(self.start[user]), int(self.start[user + 1])
        low, high = np.searchsorted(self.at[first:last], (begin, end), side="left")
        return slice(first + int(low), first + int(high))


@dataclass(frozen=True)
class PreparedData:
    """A folder ``data/prepared/<dataset>/`` in memory."""

    toml_text: str
    dataset: Dataset
    user_ids: Sequence[str]
    profiles: Sequence[Mapping[str, str | list[str]]]
    item_ids: Sequence[str]
    records: Sequence[Record]  # items as in Redis
    events: Events
    begin: int  # ms, the first event
    end: int  # ms, just after the last event
    positive: npt.NDArray[np.bool_] = field(repr=False)  # by event type code
    weights: npt.NDArray[np.float64] = field(repr=False)  # by event type code

    @property
    def name(self) -> str:
        """The dataset's name."""
        return self.dataset.name


@dataclass(frozen=True)
class CatalogueEvents:
    """The events seen through one catalogue: ``row`` [E] is the item table's row, -1 = not in it."""

    data: PreparedData
    row: IntArray

    def history(self, table: ItemTable, user: int, now: int, limit: int) -> History:
        """What ``FeatureEncoder.history`` gives for the same user and time, straight from the columns."""
        events = self.data.events
        part = events.before(user, now, limit)
        newest_first = slice(part.stop - 1, part.start - 1 if part.start else None, -1)
        if part.stop == part.start:
            newest_first = slice(0, 0)
        ages = ages_in_days(events.at[newest_first], now, table.data_end)
        return History(self.row[newest_first], events.type[newest_first], ages)

    def positives(self, user: int, begin: int, end: int) -> IntArray:
        """Distinct rows of the catalogue the user took in [begin, end)."""
        part = self.data.events.between(user, begin, end)
        rows = self.row[part]
        return np.unique(rows[(rows >= 0) & self.data.positive[self.data.events.type[part]]])


def load_prepared(folder: Path, until: int | None = None) -> PreparedData:
    """Read a prepared dataset; events at or after ``until`` (ms) are left out. Raises DataFault."""
    try:
        toml_text = (folder / "dataset.toml").read_text("utf-8")
        dataset = dataset_from_toml(toml_text)
        users = pq.read_table(folder / "users.parquet")
        items = pq.read_table(folder / "items.parquet")
        raw = pq.read_table(folder / "events.parquet", columns=["user_id", "item_id", "type", "at"])
    except FileNotFoundError as error:
        raise DataFault(f"{error.filename or folder}: missing: prepare the dataset first") from error
    except (OSError, ValueError, KeyError) as error:
        raise DataFault(f"{folder}: not readable: {error}") from error
    if until is not None:
        raw = raw.filter(pc.less(raw["at"].cast("int64"), until))
    if raw.num_rows == 0:
        raise DataFault(f"{folder / 'events.parquet'}: no events to learn from")
    user_ids, profiles = _profiles(users, dataset)
    records = _records(items)
    item_ids = [str(record[ID]) for record in records]
    events, user_ids, profiles = _events(raw, user_ids, profiles, item_ids)
    return PreparedData(
        *(toml_text, dataset, user_ids, profiles, item_ids, records, events),
        begin=int(events.at.min()),
        end=int(events.at.max()) + 1,
        positive=np.array([kind in dataset.positive for kind in HISTORY_EVENT_TYPES]),
        weights=np.array([dataset.weight(kind) for kind in HISTORY_EVENT_TYPES]),
    )


def _profiles(users: Any, dataset: Dataset) -> tuple[list[str], list[dict[str, str | list[str]]]]:
    names = [feature.name for feature in dataset.user_features]
    columns = {name: users[name].to_pylist() for name in names if name in users.column_names}
    ids = [canonical(value) for value in users["user_id"].to_pylist()]
    profiles: list[dict[str, str | list[str]]] = []
    for position in range(len(ids)):
        values = {name: column[position] for name, column in columns.items()}
        profiles.append({name: _text(value) for name, value in values.items() if value is not None})
    return ids, profiles


def _text(value: Any) -> str | list[str]:
    return [canonical(part) for part in value] if isinstance(value, list) else canonical(value)


def _records(items: Any) -> list[Record]:
    """Items as in Redis: architecture, section 4."""
    columns = {name: items[name] for name in items.column_names}
    if "listed_at" in columns:
        columns["listed_at"] = columns["listed_at"].cast("int64")
    values = {name: column.to_pylist() for name, column in columns.items()}
    records: list[Record] = []
    for position, raw_id in enumerate(values["item_id"]):
        row = {name: column[position] for name, column in values.items()}
        path = [str(part) for part in row.get("category_path") or [] if part is not None]
        further = {k: str(row[k]) for k in CONTENT if row.get(k)}
        further |= {k: _text(v) for k, v in row.items() if k not in FIELDS and v is not None}
        record = item_record(
            canonical(raw_id),
            title=row.get("title") or "",
            category_path=path,
            brand=canonical(row.get("brand")),
            shop=canonical(row.get("shop")),
            price=as_number(row.get("price")),  # NaN is no JSON
            available=row.get("available") is not False,
            listed_at=row.get("listed_at"),
            further=further,
        )
        records.append(record)
    return records


def _events(
    raw: Any, user_ids: list[str], profiles: list[dict[str, str | list[str]]], item_ids: Sequence[str]
) -> tuple[Events, list[str], list[dict[str, str | list[str]]]]:
    """Events as arrays; a user of the events who is not in the users' table is added without a profile."""
    user, names = _encode(raw["user_id"])
    index = {name: position for position, name in enumerate(user_ids)}
    strangers = [name for name in names if name not in index]
    index.update({name: len(index) + position for position, name in enumerate(strangers)})
    user_ids, profiles = user_ids + strangers, profiles + [{} for _ in strangers]
    user = np.array([index[name] for name in names], np.int64)[user]
    item, names = _encode(raw["item_id"])
    rows = {name: position for position, name in enumerate(item_ids)}
    item = np.array([rows.get(name, -1) for name in names], np.int64)[item]
    kind, names = _encode(raw["type"])
    kinds = np.array([EVENT_CODE.get(name, 0) for name in names], np.int8)[kind]
    at = raw["at"].cast("int64").to_numpy()
    order = np.lexsort((at, user))
    user, item, kinds, at = user[order], item[order], kinds[order], at[order]
    start = np.searchsorted(user, np.arange(len(user_ids) + 1))
    return Events(start.astype(np.int64), user, item, kinds, at), user_ids, profiles


def _encode(column: Any) -> tuple[IntArray, list[str]]:
    """A text column as codes and the distinct texts, canonical."""
    encoded = column.combine_chunks().dictionary_encode()
    if hasattr(encoded, "combine_chunks"):
        encoded = encoded.combine_chunks()
    return encoded.indices.to_numpy().astype(np.int64), [canonical(v) for v in encoded.dictionary.to_pylist()]
