"""Groups of the ranker's features that people can tell apart: name, columns, and the value in words.

A group is what is taken away at once to see what it adds. Everything about the price, for example, is one.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from engine.features import FeatureSchema, Feed, canonical
from engine.features.feeds import Column, columns_of
from engine.features.table import item_values
from engine.features.visits import USER_COLUMNS
from engine.records import category_path

ITEM_ITSELF = "this item itself"
_MANY = 10.0


@dataclass(frozen=True)
class Subject:
    """What a value is told of: a shopper's profile, an item's record, and its cross features by name."""

    profile: Mapping[str, object]
    record: Mapping[str, object]
    cross: Mapping[str, float]
    share_of_stat: Callable[[str, float], float]  # share of the items below a statistic's value
    history_length: int


@dataclass
class Group:
    """The columns that make up the group, by feed."""

    name: str
    tell: Callable[[Subject], str]
    columns: dict[str, list[int]] = field(default_factory=dict)


def groups_of(schema: FeatureSchema, feeds: Sequence[Feed], display: Mapping[str, str]) -> list[Group]:
    """The groups of what a ranker reads; every column of its feeds is in exactly one.

    Args:
        feeds: as the ranker declares them.
        display: names of user and item features in words, by feature.
    """
    groups: dict[str, Group] = {}
    for feed in feeds:
        for place, column in enumerate(columns_of(feed, schema)):
            name, tell = _of_column(column, display)
            group = groups.setdefault(name, Group(name, tell))
            group.columns.setdefault(feed.name, []).append(place)
    return list(groups.values())


def _of_column(column: Column, display: Mapping[str, str]) -> tuple[str, Callable[[Subject], str]]:
    """Group and words of a column; of a kind that has no words here, a group of its own without a value."""
    shown = display.get(column.name, column.name.replace("_", " ")).lower()
    if column.kind == "user":
        return f"shopper: {shown}", _profile(column.name)
    if column.kind == "item":
        return _of_item(column.name, shown)
    return _of_cross(column.name) if column.kind == "cross" else (shown, lambda subject: "")


def _of_item(name: str, shown: str) -> tuple[str, Callable[[Subject], str]]:
    if name == "item_id":
        return ITEM_ITSELF, lambda subject: str(subject.record.get("title") or "")
    if name.startswith("category_"):
        return "item: category", _path
    if name == "price":
        return "price", _price
    return f"item: {shown}", _record(name)


def _of_cross(name: str) -> tuple[str, Callable[[Subject], str]]:
    """Group and words of one user-item feature; a new one is a group of its own until it gets words here."""
    if re.fullmatch(r"count_[\d.]+d", name):
        return _CROSS["count"]
    if found := re.fullmatch(r"(category|brand|shop)(?:_\d+)?_(long|short|amount|recency)", name):
        return f"{found[1]} affinity", _affinity(found[1])
    return _CROSS.get(name) or (name.replace("_", " "), lambda subject: f"{subject.cross[name]:.2f}")


def _profile(name: str) -> Callable[[Subject], str]:
    return lambda subject: _words(subject.profile.get(name))


def _record(name: str) -> Callable[[Subject], str]:
    return lambda subject: _words(item_values(subject.record).get(name))


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value) or "unknown"
    return canonical(value) or "unknown"


def _path(subject: Subject) -> str:
    return " › ".join(map(str, category_path(subject.record))) or _words(None)


def _price(subject: Subject) -> str:
    price = subject.record.get("price")
    return f"{price:.2f}" if isinstance(price, int | float) else "unknown"


def _affinity(kind: str) -> Callable[[Subject], str]:
    def tell(subject: Subject) -> str:
        # The deepest level is the most telling; features hold the square root of the share.
        names = sorted(name for name in subject.cross if re.fullmatch(rf"{kind}(_\d+)?_long", name))
        share = subject.cross[names[-1]] ** 2
        return f"{share:.0%} of this shopper's interest" if share >= 0.005 else "none so far"

    return tell


def _count(subject: Subject) -> str:
    count = round(float(np.expm1(subject.cross["count"] * 5.0)))
    return "never" if not count else "once" if count == 1 else f"{count} times"


def _recency(subject: Subject) -> str:
    value = subject.cross["recency"]
    return (
        _ago(float(np.expm1((1.0 - value) * np.log1p(365.0)))) if value > 0 else "never, or over a year ago"
    )


def _ago(days: float) -> str:
    if days < 1:
        return "within a day"
    return f"{days:.0f} days ago" if days >= 1.5 else "a day ago"


def _due(subject: Subject) -> str:
    if not subject.cross["overdue_known"]:
        return "no rhythm known"
    ratio = subject.cross["interval_ratio"]  # 0.5 is exactly due
    return "not yet" if ratio < 0.45 else "now" if ratio <= 0.55 else "overdue"


def _lately(name: str) -> Callable[[Subject], str]:
    return lambda subject: "lately" if subject.cross[name] > 0.02 else "not lately"


def _neighbours(subject: Subject) -> str:
    value = max(subject.cross["neighbours"], subject.cross["neighbours_recent"])
    return "strongly" if value > 0.3 else "somewhat" if value > 0.05 else "not at all"


def _popularity(subject: Subject) -> str:
    share = subject.share_of_stat("popularity_90d", subject.cross["popularity_90d"])
    return f"more than {min(int(share * 100), 99)}% of all items"


def _newness(subject: Subject) -> str:
    value = subject.cross["newness"]
    return f"first sold {_ago(-30.0 * float(np.log2(value)))}" if value > 0 else "unknown"


def _ratio(subject: Subject) -> str:
    value = subject.cross["price_ratio"]
    if not value:
        return "unknown"
    ratio = float(np.exp((value - 0.5) * 6.0))
    return f"{ratio:.1f} × the usual" if ratio < _MANY else "far above the usual"


def _activity(subject: Subject) -> str:
    events = round(float(np.expm1(subject.cross["user_events"] * np.log1p(subject.history_length))))
    return f"{events} events"


_NEIGHBOURS = ("neighbours", "neighbours_recent", "neighbours_ever")
_SHARES_OF_VISITS = ("visit_share", "visit_share_90d", "visit_share_known")
_CROSS: Mapping[str, tuple[str, Callable[[Subject], str]]] = {
    **dict.fromkeys(("count", "share", *_SHARES_OF_VISITS), ("times bought", _count)),
    **dict.fromkeys(("recency", "visits_since"), ("last bought", _recency)),
    **dict.fromkeys(("interval_ratio", "overdue_known", "visit_ratio"), ("due again", _due)),
    "intent_look": ("looked at", _lately("intent_look")),
    "intent_want": ("put aside", _lately("intent_want")),
    "disliked": ("disliked", lambda subject: "yes" if subject.cross["disliked"] else "no"),
    **dict.fromkeys(_NEIGHBOURS, ("goes with what was bought", _neighbours)),
    **dict.fromkeys(
        (*(f"popularity_{days}d" for days in (3, 7, 14, 28, 90)), "buyers", "new_buyers"),
        ("popularity", _popularity),
    ),
    "repeat_rate": ("bought again by others", lambda subject: f"{subject.cross['repeat_rate']:.0%}"),
    "newness": ("newness", _newness),
    "price": ("price", _price),
    "price_ratio": ("price against the shopper's usual", _ratio),
    **dict.fromkeys(
        ("user_events", "user_items", "user_recency", *USER_COLUMNS), ("shopper's activity", _activity)
    ),
}
