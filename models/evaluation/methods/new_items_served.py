"""What recall's channel ``new`` says of items without events, asked as recall asks it.

Legend: B users, P new items.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import Event, UserContext
from engine.recall.filters import LiveSet
from engine.recall.fresh import FreshItems
from engine.recall.new_items_store import read_new_items
from engine.release import Release
from engine.types import NO_FILTER
from engine.vocabulary import HISTORY_EVENT_TYPES
from models.evaluation.errors import ProtocolError
from models.evaluation.ranking import IntArray
from models.training.config import TrainConfig
from models.training.dataset import PreparedData


class Served:
    """The channel ``new`` of a release, asked as recall asks it, for what it has of items without events."""

    ties = False

    def __init__(
        self, data: PreparedData, new: IntArray, cut: int, config: TrainConfig, release: Release | None
    ) -> None:
        stored = read_new_items(release) if release is not None else None
        if release is None or stored is None:
            raise ProtocolError("the release knows nothing of new items: train again")
        self._data, self._cut = data, cut
        self._fresh = FreshItems(stored, release.schema, release.data_end)
        self._limit = release.schema.history_length
        self._place = {data.item_ids[item]: place for place, item in enumerate(new.tolist())}

    def scores(self, users: IntArray) -> npt.NDArray[np.floating[Any]]:
        """[B, P]; -inf for what is not proposed."""
        found = np.full((len(users), len(self._place)), -np.inf, np.float32)
        for line, user in enumerate(users.tolist()):
            context = context_before(self._data, user, self._cut, self._limit)
            ids, scores = self._fresh.best(context, NO_FILTER, LiveSet(0, None), len(self._fresh))
            for item, score in zip(ids, scores.tolist(), strict=True):
                if item in self._place:
                    found[line, self._place[item]] = score
        return found


def context_before(data: PreparedData, user: int, moment: int, limit: int) -> UserContext:
    """The user's context as the user service would give it at the moment."""
    stream = data.events
    part = stream.before(user, moment, limit)
    rows = zip(stream.item[part].tolist(), stream.type[part].tolist(), stream.at[part].tolist(), strict=True)
    events = [
        Event(data.item_ids[item], HISTORY_EVENT_TYPES[kind], at) for item, kind, at in rows if item >= 0
    ]
    return UserContext(data.user_ids[user], data.profiles[user], events[::-1], moment)
