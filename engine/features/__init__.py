"""The one definition of features, for training and serving: numpy and the standard library only."""

from engine.features.context import DAY_MS, Event, EventColumns, History, UserContext
from engine.features.cross import cross_names
from engine.features.encoder import (
    FeatureEncoder,
    Feeds,
    codes_and_crosses,
    item_feeds,
    rank_slots,
    sequence_category,
)
from engine.features.feeds import Feed, feed
from engine.features.hashing import canonical
from engine.features.schema import FeatureSchema, Field
from engine.features.summary import HistorySummary
from engine.features.table import STATS, ItemTable, encode_items, encode_texts

__all__ = [
    "DAY_MS",
    "STATS",
    "Event",
    "EventColumns",
    "FeatureEncoder",
    "FeatureSchema",
    "Feed",
    "Feeds",
    "Field",
    "History",
    "HistorySummary",
    "ItemTable",
    "UserContext",
    "canonical",
    "codes_and_crosses",
    "cross_names",
    "encode_items",
    "encode_texts",
    "feed",
    "item_feeds",
    "rank_slots",
    "sequence_category",
]
