"""The one definition of features, for training and serving: numpy and the standard library only."""

from models.features.context import DAY_MS, EVENT_TYPES, Event, History, UserContext
from models.features.cross import HistorySummary, cross_names
from models.features.encoder import FeatureEncoder, Feeds, item_feeds, rank_slots, sequence_category
from models.features.hashing import canonical
from models.features.schema import FeatureSchema, Field
from models.features.table import STATS, ItemTable, encode_items, encode_texts

__all__ = [
    "DAY_MS",
    "EVENT_TYPES",
    "STATS",
    "Event",
    "FeatureEncoder",
    "FeatureSchema",
    "Feeds",
    "Field",
    "History",
    "HistorySummary",
    "ItemTable",
    "UserContext",
    "canonical",
    "cross_names",
    "encode_items",
    "encode_texts",
    "item_feeds",
    "rank_slots",
    "sequence_category",
]
