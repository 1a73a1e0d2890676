"""The mapping file: which of a shop's files and columns hold what. data/README.md is its reference."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from data.dataset import TableReader, is_built_in, parse_dataset, parse_feature, read_toml
from data.readers.table_file import TableFile
from data.sources import mapping_filters
from data.sources.mapping_filters import Condition, Exclude, Returns
from data.sources.mapping_tables import has_source, parse_table_file
from engine.dataset import Dataset, Feature
from engine.ids import canonical_id
from engine.vocabulary import EVENT_TYPES

NO_TIMES = "The events have no times: the order of the rows in the files stands in for them."


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
    time: str | None
    """None: the order of the rows stands in for times."""
    time_format: str
    type: str | None
    types: Mapping[str, str]
    """Raw type to event type; for a constant type empty."""
    ignored_types: tuple[str, ...]
    """Raw types whose rows are left out."""
    constant_type: str
    value: tuple[str, ...]
    """Columns whose product is the value; none: 1."""
    where: tuple[Condition, ...]
    returns: Returns | None
    drop_duplicates: bool


@dataclass(frozen=True)
class UserColumns:
    """Columns of the users."""

    user_id: str
    where: tuple[Condition, ...] = ()
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
    where: tuple[Condition, ...] = ()
    exclude: Exclude = field(default_factory=Exclude)
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
    event_columns, events_file = _events(events), parse_table_file(events)
    user_columns = _users(users, event_columns.user_id)
    item_columns = _items(items, event_columns.item_id)
    users_file, items_file = (
        parse_table_file(table) if has_source(table) else None for table in (users, items)
    )
    for name, table, file in (("users", users, users_file), ("items", items, items_file)):
        if file is None and table.has("where"):
            raise table.error("where", f"[{name}] has no file of its own: filter the rows of [events]")
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
    if event_columns.time is None:
        dataset = replace(dataset, notice=f"{dataset.notice} {NO_TIMES}".strip())
    dataset = replace(
        dataset,
        user_features=tuple(column.feature for column in user_columns.features),
        item_features=built_in + tuple(column.feature for column in item_columns.features),
    )
    return Mapped(dataset, events_file, event_columns, user_columns, item_columns, users_file, items_file)


def _events(table: TableReader) -> EventColumns:
    column, constant = _optional(table, "type"), table.text("type_constant", "")
    given = table.table("types", required=False)
    types = {raw: given.text(raw) for raw in given.raw} or {name: name for name in EVENT_TYPES}
    if (column is None) == (constant == ""):
        raise table.error("type", "name the column with the event type, or give type_constant, but not both")
    for name in [*types.values(), *([constant] if constant else [])]:
        if name not in EVENT_TYPES:
            raise table.error("types", f"{name!r} is no event type; known: {', '.join(EVENT_TYPES)}")
    ignored = table.texts("ignore")
    if ignored and column is None:
        raise table.error("ignore", "lists values of the column type, and there is none")
    duplicates = table.text("duplicates", "keep")
    if duplicates not in ("keep", "drop"):
        raise table.error("duplicates", f'must be "keep" or "drop", not {duplicates!r}')
    return EventColumns(
        user_id=table.text("user_id"),
        item_id=table.text("item_id"),
        time=_optional(table, "time"),
        time_format=table.text("time_format", "iso"),
        type=column,
        types={canonical_id(raw): meaning for raw, meaning in types.items()},
        ignored_types=tuple(canonical_id(raw) for raw in ignored),
        constant_type=constant,
        value=_value(table),
        where=mapping_filters.conditions(table, "where"),
        returns=mapping_filters.returns(table),
        drop_duplicates=duplicates == "drop",
    )


def _value(table: TableReader) -> tuple[str, ...]:
    """One column, or ``{ product = ["Quantity", "Price"] }``."""
    if isinstance(table.raw.get("value"), dict):
        given = table.table("value")
        columns = given.texts("product", required=True)
        given.refuse_unknown()
        return columns
    column = _optional(table, "value")
    return (column,) if column else ()


def _users(table: TableReader, default: str) -> UserColumns:
    return UserColumns(
        table.text("user_id", default),
        mapping_filters.conditions(table, "where"),
        _features(table, "user_feature"),
    )


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
        where=mapping_filters.conditions(table, "where"),
        exclude=mapping_filters.exclude(table),
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


def event_columns(config: Mapped) -> list[str]:
    """The columns that the events' files must have; the shopper's id first, then the item's."""
    events = config.events
    filters = [*events.where, *(events.returns.when if events.returns else ())]
    single = (events.user_id, events.item_id, events.time, events.type, *events.value)
    names = [*single, *(condition.column for condition in filters)]
    if not config.users_file:
        names += user_columns(config)[1:]
    if not config.items_file:
        names += item_columns(config)[1:]
    return list(dict.fromkeys(name for name in names if name))


def user_columns(config: Mapped) -> list[str]:
    """The columns that the users' files must have; the id first."""
    users = config.users
    features = (column.column for column in users.features)
    return [users.user_id, *features, *(condition.column for condition in users.where)]


def item_columns(config: Mapped) -> list[str]:
    """The columns that the items' files must have; the id first."""
    items = config.items
    single = (items.title, items.brand, items.shop, items.price, items.available, items.listed_at)
    content = (items.description, items.url, items.image_url, items.variant_of)
    filters = (condition.column for condition in items.where)
    features = (column.column for column in items.features)
    names = [items.item_id, *single, *content, *items.categories, *features, *filters]
    return [name for name in names if name]
