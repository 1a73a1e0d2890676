"""From a user context and item rows to the feeds of the networks, for training and serving alike."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from engine.features.context import History, UserContext, ages_in_days
from engine.features.feeds import CODES, CROSSES, Feed, RankRequest, build_feeds, check_feeds, feed
from engine.features.schema import FeatureSchema, Field
from engine.features.summary import HistorySummary
from engine.features.table import IntArray, ItemTable

Feeds = dict[str, npt.NDArray[np.generic]]

USER_FEEDS = ("user_sparse", "user_dense", "sequence_items", "sequence_categories", "sequence_weights")
USER_DENSE = 3  # columns of user_dense


class FeatureEncoder:
    """Encodes contexts and items. Holds no state besides schema and table; safe to share between threads.

    Legend: C candidates, L sequence length, Fu user slots, Fi item slots, X cross features.
    """

    def __init__(
        self, schema: FeatureSchema, table: ItemTable, rank_feeds: Sequence[Feed] | None = None
    ) -> None:
        """``rank_feeds``: what the ranker reads; by default the codes of user and item, and the crosses.
        Raises ValueError for a feed that cannot be built."""
        self.schema, self.table = schema, table
        self.rank_feeds = codes_and_crosses(schema) if rank_feeds is None else tuple(rank_feeds)
        check_feeds(self.rank_feeds, schema)
        self._category = next(
            column
            for column, slot in enumerate(schema.item_slots)
            if slot.name == sequence_category(schema).name
        )

    def history(self, context: UserContext) -> History:
        """The context's events as columns: before ``now``, newest first, at most ``history_length``."""
        past, now = context.columns, context.now
        if len(past) > 1 and (past.at[1:] > past.at[:-1]).any():  # a live list merged out of order
            past = past.take(np.argsort(-past.at, kind="stable"))
        start = int(np.searchsorted(-past.at, -now, side="right"))
        past = past[start : start + self.schema.history_length]
        rows = self.table.row_of(past.item_ids)
        return History(rows, past.types, ages_in_days(past.at, now, self.table.data_end))

    def summary(self, context: UserContext) -> HistorySummary:
        """The context's history, aggregated; made once for a context, whoever asks."""
        found = context.memo.get(self)
        if not isinstance(found, HistorySummary):
            found = context.memo[self] = HistorySummary(self.schema, self.table, self.history(context))
        return found

    def user_tower(self, context: UserContext, past: HistorySummary | None = None) -> Feeds:
        """Feeds of the user tower for one user, first dimension 1:

        ``user_sparse`` int64 [1, Fu], where users have no features one column that says "unknown";
        ``user_dense`` float32 [1, 3]; ``sequence_items`` and ``sequence_categories`` int64 [1, L], strongest
        item first, 0 = padding; ``sequence_weights`` float32 [1, L, 2], long and short memory, each summing
        to 1 or 0.
        """
        past = past or self.summary(context)
        length = self.schema.sequence_length
        strongest = past.strongest(length)
        count = len(strongest)
        codes = self.table.features[past.items[strongest]]
        items, categories = np.zeros((1, length), np.int64), np.zeros((1, length), np.int64)
        items[0, :count], categories[0, :count] = codes[:, 0], codes[:, self._category]
        weights = np.zeros((1, length, 2), np.float32)
        for memory, weight in enumerate((past.long_weight[strongest], past.short_weight[strongest])):
            # log1p keeps one staple bought each week from hiding everything else
            damped = np.log1p(weight)
            weights[0, :count, memory] = damped / max(float(damped.sum()), 1e-9)
        longest = np.log1p(self.schema.history_length)
        dense = [
            np.log1p(past.n_events) / longest,
            np.log1p(len(past.items)) / longest,
            min(past.newest_age / 365, 1),
        ]
        return {
            # A network cannot be exported with a feed that has no columns.
            "user_sparse": np.array([self.schema.encode_profile(context.profile) or [0]], np.int64),
            "user_dense": np.array([dense], np.float32),
            "sequence_items": items,
            "sequence_categories": categories,
            "sequence_weights": weights,
        }

    def item_tower(self, rows: IntArray) -> Feeds:
        """Feeds of the item tower: ``item_sparse`` int64 [C, Fi], and where the schema reads texts
        ``item_text`` int64 [C, L], the terms of title and description, 0 = padding."""
        text = self.table.text
        return item_feeds(self.schema, self.table.features[rows], None if text is None else text[rows])

    def rank(self, context: UserContext, rows: IntArray, past: HistorySummary | None = None) -> Feeds:
        """The ranker's feeds, ``rank_feeds``, each [C, ...].

        ``rows``: rows of the table, int64 [C], all >= 0.
        """
        past = past or self.summary(context)
        return build_feeds(self.rank_feeds, RankRequest(self.schema, self.table, context, past, rows))


def codes_and_crosses(schema: FeatureSchema) -> tuple[Feed, ...]:
    """``rank_sparse`` int64 [Fu + Fi] and ``rank_dense`` float32 [X]: what most rankers read."""
    return feed(CODES, schema), feed(CROSSES, schema)


def item_feeds(schema: FeatureSchema, features: IntArray, text: npt.NDArray[np.int32] | None) -> Feeds:
    """Feeds of the item tower from encoded items; without ``text`` they have none."""
    feeds: Feeds = {"item_sparse": np.ascontiguousarray(features)}
    if schema.text_length:
        unknown = np.zeros((len(features), schema.text_length), np.int64)
        feeds["item_text"] = unknown if text is None else text.astype(np.int64)
    return feeds


def sequence_category(schema: FeatureSchema) -> Field:
    """The field that stands for an item's content in the sequence: its deepest category level."""
    return next(slot for slot in schema.item_slots if slot.name == f"category_{schema.category_levels}")


def rank_slots(schema: FeatureSchema) -> tuple[int, ...]:
    """The number of buckets of each column of ``rank_sparse``."""
    return (*(s.buckets for s in schema.user_slots), *(s.buckets for s in schema.item_slots))
