"""What a release would hold had it been made at a moment: item table, popular and trending lists, vectors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureEncoder, ItemTable
from engine.recall.exact import ExactSearch
from engine.recall.merge import Found
from engine.recall.segments import Profile, Segments
from engine.snapshot import Snapshot
from models.training import channels
from models.training.catalogue import table_at
from models.training.channels import Purchases
from models.training.config import TrainConfig
from models.training.dataset import CatalogueEvents
from models.training.fitting import encode
from models.training.samples import context_of, past_of, stack_feeds
from models.training.segment_fit import fit_segments

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Moment:
    """The state of knowledge at ``table.data_end``; ``popular``, ``trending`` and ``new`` are scores [N]."""

    table: ItemTable
    purchases: Purchases
    popular: npt.NDArray[np.float64]
    trending: npt.NDArray[np.float64]
    new: npt.NDArray[np.float64]
    segments: Segments

    def snapshot(self, vectors: FloatArray, size: int) -> Snapshot:
        """What a release made at this moment would be served from, without items that nobody had bought.

        Args:
            vectors: of the items, float32 [N, D].
            size: of the lists.
        """
        scores = {"popular": self.popular, "trending": self.trending, "new": self.new}
        rows = {name: best(one, size) for name, one in scores.items()}
        lists = {name: Found(rows[name], one[rows[name]].astype(np.float32)) for name, one in scores.items()}
        return Snapshot("", self.table, vectors, lists, self.segments, search=ExactSearch(vectors))


def knowledge_at(
    base: ItemTable,
    purchases: Purchases,
    profiles: Sequence[Profile],
    listed_at: npt.NDArray[np.float64],
    config: TrainConfig,
    earlier: Moment | None = None,
) -> Moment:
    """The state of knowledge at the purchases' cutoff, with the neighbours of an earlier moment if given.

    ``listed_at``: when each item was listed, ms since the epoch, float64 [N], NaN = unknown.
    """
    table = table_at(base, purchases, config, earlier.table if earlier else None)
    features = [field.name for field in base.schema.user_fields if field.kind != "number"]
    popular, trending = channels.popular(purchases), channels.trending(purchases)
    new = channels.new_items(purchases, listed_at)
    return Moment(table, purchases, popular, trending, new, fit_segments(purchases, profiles, features))


def best(scores: npt.NDArray[np.float64], count: int) -> IntArray:
    """Rows of the highest scores above zero, best first."""
    order = np.argsort(-scores, kind="stable")[:count]
    return order[scores[order] > 0]


def encode_items(tower: Any, table: ItemTable) -> FloatArray:
    """The item tower's vectors of all items, float32 [N, D]."""
    feeds = FeatureEncoder(table.schema, table).item_tower(np.arange(len(table)))
    return encode(tower.item, feeds)


def encode_users(
    tower: Any, events: CatalogueEvents, encoder: FeatureEncoder, users: IntArray, at: int
) -> FloatArray:
    """The user tower's vectors of some users at a moment, float32 [G, D]."""
    feeds = [user_feeds(events, encoder, user, at) for user in users.tolist()]
    return encode(tower.user, stack_feeds(feeds))


def user_feeds(
    events: CatalogueEvents, encoder: FeatureEncoder, user: int, at: int
) -> dict[str, npt.NDArray[np.generic]]:
    """The user tower's feeds of one user at a moment."""
    return encoder.user_tower(context_of(events, user, at), past_of(events, encoder, user, at))
