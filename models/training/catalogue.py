"""Which items a release knows, the feature schema that fits them, and what is known of them at a moment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, ItemTable
from engine.features.schema import as_number
from engine.features.table import item_values
from engine.features.text import TextHasher
from models.training import channels
from models.training.channels import Purchases
from models.training.config import CatalogueConfig, TrainConfig
from models.training.dataset import CatalogueEvents, PreparedData, Record

IntArray = npt.NDArray[np.int64]

_MAX_LEVELS = 4  # of the category path
_PRICE_INTERVALS = 24


def select_items(data: PreparedData, config: CatalogueConfig) -> IntArray:
    """Indices in ``data.item_ids`` of the catalogue, in the order of the items' table.

    Items with enough buyers, the most bought ones if there are too many; a small catalogue is kept whole.
    """
    events = data.events
    chosen = data.positive[events.type] & (events.item >= 0)
    pairs = np.unique(events.user[chosen] * len(data.item_ids) + events.item[chosen])
    buyers = np.bincount(pairs % len(data.item_ids), minlength=len(data.item_ids))
    order = np.argsort(-buyers, kind="stable")
    count = min(int((buyers >= config.min_buyers).sum()), config.max_items)
    return np.sort(order[: max(count, min(config.keep_all_below, len(order)))])


def build_schema(data: PreparedData, records: Sequence[Record], config: TrainConfig) -> FeatureSchema:
    """The schema sized by the catalogue and the users at hand."""
    values = [item_values(record) for record in records]
    levels = min(max((len(record["category_path"]) for record in records), default=1) or 1, _MAX_LEVELS)
    names = {"brand", "shop", *(f"category_{level}" for level in range(1, levels + 1))}
    described = data.dataset.item_features
    names |= {feature.name for feature in described if feature.kind != "number"}
    sizes = {name: _distinct(values, name) for name in names}
    of_users = data.dataset.user_features
    sizes |= {feature.name: _distinct(data.profiles, feature.name) for feature in of_users}
    numbers = {"price"} | {feature.name for feature in described if feature.kind == "number"}
    bounds = {name: _quantiles([v.get(name) for v in values]) for name in numbers}
    user_numbers = [feature.name for feature in of_users if feature.kind == "number"]
    bounds |= {name: _quantiles([profile.get(name) for profile in data.profiles]) for name in user_numbers}
    buckets, length = _text_size(records, config)
    return FeatureSchema.from_dataset(
        data.dataset,
        cardinalities=sizes,
        boundaries={name: bound for name, bound in bounds.items() if bound},
        category_levels=levels,
        n_item_ids=len(records),
        seed=config.seed,
        text_buckets=buckets,
        text_length=length,
    )


def purchases_before(events: CatalogueEvents, n_items: int, cutoff: int) -> Purchases:
    """Positive events of the catalogue's items strictly before the cutoff."""
    stream, data = events.data.events, events.data
    chosen = (stream.at < cutoff) & (events.row >= 0) & data.positive[stream.type]
    weights = data.weights[stream.type[chosen]]
    users = len(data.user_ids)
    return Purchases(
        stream.user[chosen], events.row[chosen], stream.at[chosen], weights, users, n_items, cutoff
    )


def table_at(
    base: ItemTable, purchases: Purchases, config: TrainConfig, earlier: ItemTable | None = None
) -> ItemTable:
    """The table with statistics and neighbours as of the purchases' cutoff; neighbours, which take long and
    change least, may be those of an ``earlier`` moment's table."""
    if earlier is not None:
        rows, scores = earlier.neighbours, earlier.neighbour_scores
    else:
        rows, scores = channels.neighbours(
            purchases, config.neighbours, config.neighbour_method, config.ease_lambda
        )
    return base.as_of(purchases.cutoff, channels.item_stats(purchases), rows, scores)


def _distinct(values: Sequence[Any], name: str) -> int:
    found: set[str] = set()
    for row in values:
        value = row.get(name)
        found.update(str(part) for part in (value if isinstance(value, list) else [value]) if part)
    return len(found)


def _text_size(records: Sequence[Record], config: TrainConfig) -> tuple[int, int]:
    """Buckets and length of the catalogue's texts, nine of ten read whole; (2, 0) where there are none."""
    if not config.tower.text_length:
        return 2, 0
    hasher = TextHasher(config.seed)
    every = 1 << 32  # as many buckets as there are numbers: the terms themselves
    bags = [bag for record in records if (bag := hasher.bag(record, every, config.tower.text_length))]
    if not bags:
        return 2, 0
    whole = int(np.quantile([len(bag) for bag in bags], 0.9))
    distinct = len({term for bag in bags for term in bag})
    buckets = min(max(1 << (2 * distinct).bit_length(), 64), config.tower.text_buckets)
    return buckets, min(8 * -(-whole // 8), config.tower.text_length)


def _quantiles(values: Sequence[Any]) -> list[float]:
    numbers = [number for number in map(as_number, values) if number is not None]
    if not numbers:
        return []
    points = np.quantile(numbers, np.linspace(0, 1, _PRICE_INTERVALS + 1)[1:-1])
    return sorted({round(float(point), 4) for point in points})
