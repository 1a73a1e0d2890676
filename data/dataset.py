"""Writing `dataset.toml`, and checking one strictly before `engine.dataset` reads it.

The checks cover everything that later code relies on, so that a mistake is told here with file and key
instead of far away as a wrong shape.
"""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import tomli_w

from data.errors import DataError
from engine.dataset import DEFAULT_BUCKETS, Dataset, Feature, dataset_of, feature_of

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser under its older name
    import tomli as tomllib

KINDS = ("categorical", "number", "multi")
BUILT_IN_ITEM_FEATURES = frozenset({"brand", "shop", "price"})
"""Item features with a fixed column in items.parquet; so has each ``category_<level>``."""

_NAME = re.compile(r"[a-z0-9_-]+")
_FEATURE_NAME = re.compile(r"[a-z][a-z0-9_]*")
_CATEGORY_LEVEL = re.compile(r"category_[1-9][0-9]*")
_RESERVED = {
    "user_feature": {"user_id"},
    "item_feature": {
        "item_id",
        "title",
        "category_path",
        "available",
        "listed_at",
        "description",
        "url",
        "image_url",
        "variant_of",
    },  # fmt: skip,
}


def is_built_in(name: str) -> bool:
    """Whether an item feature has a fixed column: brand, shop, price or a level of the category path."""
    return name in BUILT_IN_ITEM_FEATURES or _CATEGORY_LEVEL.fullmatch(name) is not None


def read_toml(path: Path) -> dict[str, Any]:
    """Parse a TOML file; a `DataError` names file and line of a mistake."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"{path}: not valid TOML: {error}") from error


def load_dataset(path: Path) -> Dataset:
    """Read and check a `dataset.toml`; a `DataError` names the file and the key that is wrong."""
    return parse_dataset(read_toml(path), str(path))


def parse_dataset(raw: Mapping[str, Any], file: str) -> Dataset:
    """Check the parsed TOML and build the `Dataset`; `file` is only for messages."""
    reader = TableReader(raw, file, "")
    head, events = reader.table("dataset"), reader.table("events")
    name = head.text("name")
    if not _NAME.fullmatch(name):
        raise DataError(f"{file}: [dataset] name: use only a-z, 0-9, _ and -, not {name!r}")
    for key in ("notice", "currency", "user_noun"):
        head.text(key, "")
    head.text("title")
    head.flag("synthetic", False)
    events.texts("positive", required=True)
    weights = events.table("weights", required=False)
    for key in weights.raw:
        weights.number(key)
    _check_features(reader, "user_feature")
    _check_features(reader, "item_feature")
    for known in (head, events):
        known.refuse_unknown()
    reader.refuse_unknown()
    return dataset_of(raw)


def save_dataset(dataset: Dataset, path: Path) -> None:
    """Write a `dataset.toml` that `load_dataset` reads back to an equal `Dataset`."""
    head = {
        key: getattr(dataset, key)
        for key in ("name", "title", "synthetic", "notice", "currency", "user_noun")
    }
    document: dict[str, Any] = {
        "dataset": head,
        "events": {"positive": list(dataset.positive), "weights": dict(dataset.weights)},
    }
    for key, features in (("user_feature", dataset.user_features), ("item_feature", dataset.item_features)):
        if features:
            document[key] = [_feature_table(feature) for feature in features]
    path.write_text(tomli_w.dumps(document), encoding="utf-8")


def _feature_table(feature: Feature) -> dict[str, Any]:
    table: dict[str, Any] = {"name": feature.name, "kind": feature.kind, "display": dict(feature.display)}
    if feature.values:
        table["values"] = list(feature.values)
    if feature.kind != "number":
        table["buckets"] = feature.buckets
    if feature.boundaries:
        table["boundaries"] = list(feature.boundaries)
    return table


def _check_features(reader: TableReader, key: str) -> None:
    names = [parse_feature(table, key).name for table in reader.tables(key)]
    for name in names:
        if names.count(name) > 1:
            raise DataError(f"{reader.file}: [[{key}]] name: {name!r} is there twice")


def further_item_features(dataset: Dataset) -> tuple[Feature, ...]:
    """Item features that have a column of their own in items.parquet."""
    return tuple(feature for feature in dataset.item_features if not is_built_in(feature.name))


def parse_feature(table: TableReader, key: str) -> Feature:
    """One ``[[user_feature]]`` or ``[[item_feature]]``."""
    name, kind = table.text("name"), table.text("kind", "categorical")
    if not _FEATURE_NAME.fullmatch(name) or name in _RESERVED[key]:
        raise table.error("name", f"use a column name of a-z, 0-9 and _ that is not reserved, not {name!r}")
    if kind not in KINDS:
        raise table.error("kind", f"must be one of {', '.join(KINDS)}, not {kind!r}")
    display = table.table("display", required=False)
    boundaries = table.numbers("boundaries")
    if boundaries and (kind != "number" or list(boundaries) != sorted(set(boundaries))):
        raise table.error("boundaries", "are for kind number, ascending and without repeats")
    if table.number("buckets", DEFAULT_BUCKETS) < 2:
        raise table.error("buckets", "must be at least 2")
    for language in display.raw:
        display.text(language)
    table.texts("values")
    table.refuse_unknown()
    return feature_of(table.raw)


class TableReader:
    """Typed access to one TOML table; each mistake becomes a `DataError` with file and key."""

    def __init__(self, raw: Mapping[str, Any], file: str, where: str) -> None:
        self.raw = raw
        self.file = file
        self.where = where
        self._asked: set[str] = set()

    def error(self, key: str, problem: str) -> DataError:
        """The error to raise about `key`."""
        return DataError(f"{self.file}: {self.where}{key}: {problem}")

    def has(self, key: str) -> bool:
        """Whether the table has this key."""
        return key in self.raw

    def text(self, key: str, default: str | None = None) -> str:
        """A string."""
        value = self._get(key, default, str, "a string")
        return str(value)

    def flag(self, key: str, default: bool) -> bool:
        """True or false."""
        return bool(self._get(key, default, bool, "true or false"))

    def number(self, key: str, default: float | None = None) -> float:
        """An integer or a float, finite."""
        value = self._get(key, default, (int, float), "a number")
        if isinstance(value, bool) or not math.isfinite(value):
            raise self.error(key, "must be a number")
        return float(value)

    def texts(self, key: str, *, required: bool = False) -> tuple[str, ...]:
        """A list of strings; with `required` at least one."""
        values = self._get(key, None if required else [], list, "a list of strings")
        if not all(isinstance(value, str) for value in values) or (required and not values):
            raise self.error(key, "must be a list of strings" + (" with at least one" if required else ""))
        return tuple(values)

    def one_or_more(self, key: str) -> tuple[str, ...]:
        """A string, or a list of strings with at least one."""
        if isinstance(self.raw.get(key), str):
            return (self.text(key),)
        return self.texts(key, required=True)

    def numbers(self, key: str) -> tuple[float, ...]:
        """A list of numbers, or nothing."""
        values = self._get(key, [], list, "a list of numbers")
        if not all(isinstance(value, (int, float)) and not isinstance(value, bool) for value in values):
            raise self.error(key, "must be a list of numbers")
        return tuple(float(value) for value in values)

    def table(self, key: str, *, required: bool = True) -> TableReader:
        """A table below this one."""
        value = self._get(key, None if required else {}, dict, "a table")
        return TableReader(value, self.file, f"[{key}] " if not self.where else f"{self.where}{key}.")

    def tables(self, key: str) -> list[TableReader]:
        """An array of tables, perhaps empty."""
        values = self._get(key, [], list, f"[[{key}]] tables")
        if not all(isinstance(value, dict) for value in values):
            raise self.error(key, f"write it as [[{key}]]")
        return [TableReader(value, self.file, f"[[{key}]] {n}: ") for n, value in enumerate(values, 1)]

    def refuse_unknown(self) -> None:
        """A key that nobody asked for is a spelling mistake: say so."""
        unknown = sorted(set(self.raw) - self._asked)
        if unknown:
            raise self.error(unknown[0], f"unknown key; known here: {', '.join(sorted(self._asked))}")

    def _get(self, key: str, default: Any, kind: Any, what: str) -> Any:
        self._asked.add(key)
        value = self.raw.get(key, default)
        if value is None:
            raise self.error(key, f"is missing; must be {what}")
        if not isinstance(value, kind):
            raise self.error(key, f"must be {what}, not {value!r}")
        return value
