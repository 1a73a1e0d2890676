"""From samples of files to what a mapping says: which file is which table, which column has which role."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from data.errors import DataError
from data.mapping.columns import Column
from data.mapping.sample import Sample
from data.mapping.words import NO_PRODUCT, column_for, type_for

UNKNOWN = "?"
"""Stands where the user has to name a column."""

_MOST_VALUES = 200
_GUESTS = 0.995
_GUEST_IDS, _MANY = ("0", "-1", "guest", "Guest"), 0.02


@dataclass
class Table:
    """One table: its files, and the column of each role that was found."""

    samples: list[Sample]
    roles: dict[str, str]
    columns: dict[str, Column]

    def column(self, role: str) -> Column | None:
        """The column of a role, if there is one."""
        return self.columns.get(self.roles.get(role, ""))


@dataclass
class Guess:
    """All that was found; the tables that are None have no file of their own."""

    events: Table
    users: Table | None = None
    items: Table | None = None
    types: dict[str, str] = field(default_factory=dict)
    """Value of the type column to event type; empty where the value is not known."""
    user_features: list[str] = field(default_factory=list)
    item_features: list[str] = field(default_factory=list)
    no_products: list[tuple[str, str]] = field(default_factory=list)
    """Ids, with a title, that look like no products."""


def guess(samples: Sequence[Sample]) -> Guess:
    """`DataError` where no file looks like events."""
    tables = _tables(samples)
    events = max(tables, key=lambda table: (_event_score(table), table.samples[0].rows))
    if _event_score(events) < 2:
        names = ", ".join(str(sample.path) for sample in samples)
        raise DataError(
            f"{names}: no file has columns like shopper, product and time; write the mapping by hand"
        )
    found = Guess(events)
    for table in tables:
        if table is not events:
            _place(table, found)
    if kinds := events.column("type"):
        found.types = {value: type_for(value) for value, _ in kinds.counts.most_common(_MOST_VALUES)}
    found.user_features = _features(found.users) if found.users else _of(events, "user_id")
    found.item_features = _features(found.items) if found.items else []
    found.no_products = _no_products(found.items or events, events)
    return found


def _tables(samples: Sequence[Sample]) -> list[Table]:
    """Files with the same columns are one table."""
    groups: dict[tuple[str, ...], list[Sample]] = defaultdict(list)
    for sample in samples:
        groups[tuple(sample.columns)].append(sample)
    return [_table(group) for group in groups.values()]


def _table(samples: list[Sample]) -> Table:
    columns = {
        name: Column(name, [text for sample in samples for text in sample.columns[name]])
        for name in samples[0].columns
    }
    free = dict.fromkeys(columns)
    roles: dict[str, str] = {}
    for role, fits in _FITS.items():
        name = column_for(role, (name for name in free if fits(columns[name])))
        if name:
            roles[role] = name
            del free[name]
    if not roles.get("time"):
        roles |= next(({"time": name} for name in free if _is_time(columns[name])), {})
    return Table(samples, roles, columns)


def _is_time(column: Column) -> bool:
    return bool(column.time_formats)


def _few(column: Column) -> bool:
    return len(column.counts) <= _MOST_VALUES


def _any(column: Column) -> bool:
    return True


_FITS: dict[str, Callable[[Column], bool]] = {
    "time": _is_time,
    "user_id": _any,
    "quantity": lambda column: column.is_number,
    "rating": lambda column: column.is_number,
    "price": lambda column: column.is_number,
    "value": lambda column: column.is_number,
    "type": lambda column: (_few(column) and not column.is_number) or any(map(type_for, column.counts)),
    "status": _few,
    "item_id": _any,
    "invoice": _any,
    "title": lambda column: not column.is_number,
    "genres": _any,
    "category": _any,
    "brand": _any,
    "available": _few,
    "description": lambda column: not column.is_number,
    "image_url": _any,
    "url": _any,
}
"""Roles in the order in which they are given away, and what a column must look like for them."""


def _event_score(table: Table) -> int:
    roles = table.roles
    return sum(role in roles for role in ("user_id", "item_id", "time")) if "user_id" in roles else 0


def _place(table: Table, found: Guess) -> None:
    """Make a table the users' or the items': by the ids that it shares with the events, else by its names."""
    shared = {
        (role, name): len(column.counts.keys() & known.counts.keys())
        for role in ("user_id", "item_id")
        if (known := found.events.column(role)) is not None
        for name, column in table.columns.items()
    }
    role, name = max(shared, key=lambda key: shared[key])
    if not shared[role, name]:
        role = "item_id" if "item_id" in table.roles else "user_id"
        name = table.roles.get(role, "")
    if not name or (found.items if role == "item_id" else found.users):
        return
    table.roles = {other: at for other, at in table.roles.items() if at != name and other != "user_id"}
    table.roles[role] = name
    if role == "item_id":
        found.items = table
    else:
        found.users = table


def _features(table: Table) -> list[str]:
    """Columns of no other role with few values or numbers."""
    taken = set(table.roles.values())
    return [
        name
        for name, column in table.columns.items()
        if name not in taken
        and column.known
        and len(column.counts) > 1
        and (_few(column) or column.is_number)
    ]


def _of(events: Table, role: str) -> list[str]:
    """Columns of the events with few values that are always the same for the same shopper."""
    owner = events.column(role)
    if owner is None:
        return []
    return [
        name
        for name in _features(events)
        if _few(events.columns[name]) and _determined(owner.texts, events.columns[name].texts)
    ]


def _determined(owners: Sequence[str], texts: Sequence[str]) -> bool:
    values: dict[str, str] = {}
    if len(set(owners)) == len(owners):  # each is there once: nothing to tell it from chance
        return False
    return all(
        values.setdefault(owner, text) == text for owner, text in zip(owners, texts, strict=True) if owner
    )


def _no_products(items: Table, events: Table) -> list[tuple[str, str]]:
    """Ids with a title as of postage or fees, and ids without a digit where nearly all others have one."""
    ids, titles = items.column("item_id"), items.column("title")
    if ids is None:
        return []
    title_of: dict[str, Counter[str]] = defaultdict(Counter)
    for item, title in zip(ids.texts, titles.texts if titles else [""] * len(ids.texts), strict=True):
        title_of[item][title] += 1
    digits = sum(any(sign.isdigit() for sign in item) for item in title_of) >= 0.9 * len(title_of)
    found = []
    for item, counts in title_of.items():
        title = counts.most_common(1)[0][0]
        odd = digits and not any(sign.isdigit() for sign in item)
        if item and (odd or (NO_PRODUCT.search(title) and len(title.split()) <= 3)):
            found.append((item, title))
    return found[:_MOST_VALUES]


def guests(events: Table) -> tuple[float, str]:
    """Share of the rows without a shopper, where that is more than an accident, and the id that stands for
    all guests, where there is one."""
    user = events.column("user_id")
    if user is None or not user.known:
        return 0.0, ""
    shared = next((value for value in _GUEST_IDS if user.counts[value] > _MANY * len(user.texts)), "")
    missing = 1 - user.filled if user.filled < _GUESTS else 0.0
    return missing + user.counts[shared] / len(user.texts), shared


def cancellation_prefix(events: Table) -> str:
    """``C`` where some invoices' numbers begin with it and the others with a digit; else empty."""
    invoice = events.column("invoice")
    if invoice is None:
        return ""
    starts = Counter(text[0].upper() for text in invoice.known if not text[0].isdigit())
    rare = [letter for letter, rows in starts.items() if rows < 0.2 * len(invoice.known)]
    return "C" if "C" in rare and len(starts) <= 3 else ""
