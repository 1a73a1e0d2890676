"""A garden shop's web log, one file a month, and its products with categories but without prices."""

from __future__ import annotations

import random
from datetime import datetime, timedelta, timezone

from data.examples.shoppers import Catalogue, Shopper, Table, moments

SEED = 2
_VISITORS = 450
_CATEGORIES = (
    ("Garden > Pots", "pot"),
    ("Garden > Seeds", "seeds"),
    ("Garden > Tools", "tool"),
    ("House > Lamps", "lamp"),
    ("House > Rugs", "rug"),
    ("House > Curtains", "curtain"),
    ("Workshop > Drills", "drill"),
    ("Workshop > Paint", "paint"),
)
_COLOURS = (
    "Amber",
    "Blue",
    "Coral",
    "Dark",
    "Emerald",
    "Fern",
    "Grey",
    "Honey",
    "Ivory",
    "Jade",
    "Khaki",
    "Lime",
)
_PLACES = ("Oslo", "Porto", "Riga", "Turin")
_CART, _BUY, _SEARCH = 0.35, 0.6, 0.12

MAPPING = """\
[dataset]
name = "gardenshop"
title = "House and garden"
weights = { view = 0.1, cart = 0.5 }

[events]
file = "events-*.csv"
user_id = "visitorid"
item_id = "itemid"
time = "timestamp"
time_format = "epoch_ms"
type = "event"
types = { view = "view", addtocart = "cart", transaction = "purchase" }
ignore = ["search"]
duplicates = "drop"

[items]
file = "items.csv"
item_id = "itemid"
title = "name"
category = ["category"]
category_separator = ">"
category_levels = 2
"""


def tables() -> dict[str, Table]:
    """events-2025-01.csv and so on, in order of time, and items.csv."""
    draw = random.Random(SEED)
    size = len(_COLOURS) * len(_PLACES)
    catalogue = Catalogue(draw, len(_CATEGORIES), size)
    names = [
        (f"{colour} {thing} {place}", path)
        for path, thing in _CATEGORIES
        for colour in _COLOURS
        for place in _PLACES
    ]
    items: list[tuple[object, ...]] = [("itemid", "name", "category")]
    items += [(3_000 + number, name, path) for number, (name, path) in enumerate(names)]
    log: list[tuple[datetime, int, str, object]] = []
    for number in range(_VISITORS):
        shopper = Shopper(number, catalogue, draw)
        for at in moments(draw, shopper.visits):
            log += _visit(shopper, at, draw)
    log.sort(key=lambda line: (line[0], line[1]))
    header = ("timestamp", "visitorid", "event", "itemid")
    months: dict[str, list[tuple[object, ...]]] = {}
    for at, visitor, event, item in log:
        seconds = int(at.replace(tzinfo=timezone.utc).timestamp())
        row = (f"{seconds}000", visitor, event, item)
        months.setdefault(f"events-{at:%Y-%m}.csv", [header]).append(row)
        if draw.random() < 0.004:  # the same click sent twice
            months[f"events-{at:%Y-%m}.csv"].append(row)
    return {**months, "items.csv": items}


def _visit(shopper: Shopper, at: datetime, draw: random.Random) -> list[tuple[datetime, int, str, object]]:
    visitor = 70_001 + 13 * shopper.number
    lines: list[tuple[datetime, int, str, object]] = []
    for product in shopper.basket(draw.choice((2, 3, 5, 7))):
        item = 3_000 + product
        at += timedelta(seconds=draw.randrange(10, 240))
        if draw.random() < _SEARCH:
            lines.append((at - timedelta(seconds=5), visitor, "search", ""))
        lines.append((at, visitor, "view", item))
        if draw.random() < _CART:
            lines.append((at + timedelta(seconds=3), visitor, "addtocart", item))
            if draw.random() < _BUY:
                lines.append((at + timedelta(seconds=7), visitor, "transaction", item))
    return lines
