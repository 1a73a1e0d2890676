"""Items like one by what is written about them: also for items without sales, and those registered since.

The lists of the data's items are in the release; those of items that come in later are made when they do. A
list names items of the release only.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.candidates import Floats
from engine.features import FeatureSchema, canonical
from engine.recall.content import ContentNeighbours
from engine.recall.filters import Rows
from engine.records import record_id

MOST = 20_000
"""Items registered since whose lists are kept, at most: the first ones."""


class AlikeItems:
    """The lists of one release; more come in while it serves. Thread-safe: a list is replaced as a whole.

    Args:
        item_ids: of the release, in row order.
    """

    def __init__(self, content: ContentNeighbours, item_ids: Sequence[str], schema: FeatureSchema) -> None:
        self._content, self._schema = content, schema
        self._place = {item: place for place, item in enumerate((*item_ids, *content.other_ids))}
        self._since: dict[str, tuple[Rows, Floats]] = {}
        self._lock = Lock()

    @property
    def rows(self) -> npt.NDArray[np.int32]:
        """Rows of what is alike to each of the data's items, int32 [M, K], -1 = none; the release's first."""
        return self._content.rows

    def knows(self, item_id: str) -> bool:
        """Whether the item was in the release's data. One that came in since may have been written anew."""
        return canonical(item_id) in self._place

    def add(self, records: Sequence[Mapping[str, Any]]) -> int:
        """Take in items in the Redis form, those of the data excepted; the newest form of an item counts.
        Returns how many."""
        count = 0
        with self._lock:
            for record in records:
                name = record_id(record)
                full = len(self._since) >= MOST and name not in self._since
                if name in self._place or full:
                    continue
                width = self._content.rows.shape[1]
                rows, scores = self._content.index.nearest(record, self._schema.text_hasher, width)
                self._since[name] = rows.astype(np.int64), scores
                count += 1
        return count

    def of(self, item_id: str) -> tuple[Rows, Floats]:
        """Rows of the release and scores, best first; empty for an item of which nothing is known."""
        name = canonical(item_id)
        place = self._place.get(name)
        if place is None:
            return self._since.get(name, (np.empty(0, np.int64), np.empty(0, np.float32)))
        rows = self._content.rows[place]
        found = rows >= 0
        return rows[found].astype(np.int64), self._content.scores[place][found].astype(np.float32)
