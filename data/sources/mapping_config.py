"""The mapping file: which of a shop's files and columns hold what. data/README.md is its reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from data.canonical import EVENT_TYPES
from data.columns import NULLS
from data.dataset import Dataset, Feature, TableReader, is_built_in, parse_dataset, parse_feature, read_toml
from data.rows import TextFormat


@dataclass(frozen=True)
class TableFile:
    """A file and how to read it."""

    name: str
    form: TextFormat
    nulls: tuple[str, ...]
    allow: Mapping[str, float] = field(default_factory=dict)
    """Shares of rows that may be rejected, by reason."""

    @property
    def is_parquet(self) -> bool:
        """Parquet instead of text, by the name."""
        return self.name.endswith((".parquet", ".pq"))


@dataclass(frozen=True)
class FeatureColumn:
    """Where a feature comes from."""

    feature: Feature
    column: str
    separator: str


@dataclass(frozen=True)
class EventColumns:
    """Columns of the events."""

    user_id: str
    item_id: str
    time: str
    time_format: str
    type: str | None
    types: Mapping[str, str]
    """Raw type to event type; for a constant type empty."""
    constant_type: str
    value: str | None


@dataclass(frozen=True)
class UserColumns:
    """Columns of the users."""

    user_id: str
    features: tuple[FeatureColumn, ...] = ()


@dataclass(frozen=True)
class ItemColumns:
    """Columns of the items; None where the shop has none."""

    item_id: str
    title: str | None = None
    categories: tuple[str, ...] = ()
    category_separator: str = ""
    brand: str | None = None
    shop: str | None = None
    price: str | None = None
    available: str | None = None
    available_values: tuple[str, ...] = ()
    listed_at: str | None = None
    listed_at_format: str = "iso"
    description: str | None = None
    url: str | None = None
    image_url: str | None = None
    variant_of: str | None = None
    """The id of the item that this one is a variant of (another size or colour)."""
    features: tuple[FeatureColumn, ...] = ()


@dataclass(frozen=True)
class Mapped:
    """A whole mapping file."""

    dataset: Dataset
    events_file: TableFile
    events: EventColumns
    users: UserColumns
    items: ItemColumns
    users_file: TableFile | None = None
    """None: the users' columns are in the events' file, and so for the items."""
    items_file: TableFile | None = None


def load_mapping(path: Path) -> Mapped:
    """Read and check a mapping file; a `DataError` names the file and the key that is wrong."""
    raw = read_toml(path)
    root = TableReader(raw, str(path), "")
    head, events = root.table("dataset"), root.table("events")
    users, items = root.table("users", required=False), root.table("items", required=False)
    event_columns, events_file = _events(events), _file(events)
    user_columns = _users(users, event_columns.user_id)
    item_columns = _items(items, event_columns.item_id)
    users_file, items_file = (_file(table) if table.has("file") else None for table in (users, items))
    built_in = _built_in(items)
    for table in (events, users, items, root):
        table.refuse_unknown()
    weights = dict(head.raw.get("weights", {}))
    positive = head.raw.get("positive", ["purchase"])
    described = {key: value for key, value in head.raw.items() if key not in ("weights", "positive")}
    document = {"dataset": described, "events": {"positive": positive, "weights": weights}}
    dataset = parse_dataset(document, str(path))
    for name in dataset.positive:
        if name not in EVENT_TYPES:
            raise head.error("positive", f"{name!r} is no event type; known: {', '.join(EVENT_TYPES)}")
    dataset = Dataset(
        **{
            **vars(dataset),
            "user_features": tuple(column.feature for column in user_columns.features),
            "item_features": built_in + tuple(column.feature for column in item_columns.features),
        }
    )
    return Mapped(dataset, events_file, event_columns, user_columns, item_columns, users_file, items_file)


def _file(table: TableReader) -> TableFile:
    form = TextFormat(
        delimiter=table.text("delimiter", "\t" if ".tsv" in table.text("file") else ","),
        encoding=table.text("encoding", "utf-8"),
        quoted=table.flag("quoted", True),
        columns=table.texts("columns"),
        decimal=table.text("decimal", "."),
    )
    if form.decimal not in {".", ","}:
        raise table.error("decimal", 'must be "." or ","')
    if not form.delimiter or (form.quoted and len(form.delimiter) != 1):
        raise table.error("delimiter", "must be one character; a longer one needs quoted = false")
    return TableFile(table.text("file"), form, (*NULLS, *table.texts("nulls")), _allow(table))


def _allow(table: TableReader) -> dict[str, float]:
    """Shares by reason; "no user_id" and the like may name the key of the mapping instead of the column."""
    given = table.table("allow", required=False)
    shares = {}
    for reason in given.raw:
        share = given.number(reason)
        if not 0 <= share <= 1:
            raise given.error(reason, f"must be a share between 0 and 1, not {share:g}")
        what, space, key = reason.rpartition(" ")
        column = table.raw.get(key)
        shares[f"{what} {column}" if space and isinstance(column, str) else reason] = share
    return shares


def _events(table: TableReader) -> EventColumns:
    column, constant = _optional(table, "type"), table.text("type_constant", "")
    given = table.table("types", required=False)
    types = {raw: given.text(raw) for raw in given.raw} or {name: name for name in EVENT_TYPES}
    if (column is None) == (constant == ""):
        raise table.error("type", "name the column with the event type, or give type_constant, but not both")
    for name in [*types.values(), *([constant] if constant else [])]:
        if name not in EVENT_TYPES:
            raise table.error("types", f"{name!r} is no event type; known: {', '.join(EVENT_TYPES)}")
    return EventColumns(
        user_id=table.text("user_id"),
        item_id=table.text("item_id"),
        time=table.text("time"),
        time_format=table.text("time_format", "iso"),
        type=column,
        types=types,
        constant_type=constant,
        value=_optional(table, "value"),
    )


def _users(table: TableReader, default: str) -> UserColumns:
    return UserColumns(table.text("user_id", default), _features(table, "user_feature"))


def _items(table: TableReader, default: str) -> ItemColumns:
    return ItemColumns(
        item_id=table.text("item_id", default),
        title=_optional(table, "title"),
        categories=table.texts("category"),
        category_separator=table.text("category_separator", ""),
        brand=_optional(table, "brand"),
        shop=_optional(table, "shop"),
        price=_optional(table, "price"),
        available=_optional(table, "available"),
        available_values=table.texts("available_values") or ("1", "true", "True", "TRUE", "yes", "y", "Y"),
        listed_at=_optional(table, "listed_at"),
        listed_at_format=table.text("listed_at_format", "iso"),
        description=_optional(table, "description"),
        url=_optional(table, "url"),
        image_url=_optional(table, "image_url"),
        variant_of=_optional(table, "variant_of"),
        features=_features(table, "item_feature"),
    )


def _features(table: TableReader, key: str) -> tuple[FeatureColumn, ...]:
    columns = []
    for one in table.tables("feature"):
        column, separator = one.text("column", one.text("name")), one.text("separator", "|")
        feature = parse_feature(one, key)
        if key == "item_feature" and is_built_in(feature.name):
            raise one.error("name", f"{feature.name!r} has a key of its own in [items]")
        columns.append(FeatureColumn(feature, column, separator))
        names = [other.feature.name for other in columns]
        if len(set(names)) < len(names):
            raise one.error("name", f"{names[-1]!r} is there twice")
    return tuple(columns)


def _built_in(table: TableReader) -> tuple[Feature, ...]:
    """The fixed item columns that this mapping fills, as features."""
    names = {"brand": ("Brand", "品牌"), "shop": ("Shop", "店铺"), "price": ("Price", "价格")}
    features = [
        Feature(name, "number" if name == "price" else "categorical", {"en": en, "zh": zh}, buckets=4096)
        for name, (en, zh) in names.items()
        if table.has(name)
    ]
    levels = int(table.number("category_levels", max(1, len(table.texts("category")))))
    if table.has("category"):
        features += [
            Feature(
                f"category_{level}", display={"en": f"Category {level}", "zh": f"品类 {level}"}, buckets=4096
            )
            for level in range(1, levels + 1)
        ]
    return tuple(features)


def _optional(table: TableReader, key: str) -> str | None:
    return table.text(key, "") or None
