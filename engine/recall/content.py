"""Which items are alike by what is written about them: TF-IDF over hashed terms, cosine. Numpy only.

An item is a vector of its terms (``engine/features/text.py``): words of the title, their parts, words of the
description, its category levels and brand. A term weighs what its kind weighs times log((1 + M) / (1 + items
with it)); the strongest 40 are kept, and the vector has length 1. Terms of very many items are left out.

    score(a, i) = <a, i> · (1 + 0.1 · popularity(i))          where <a, i> >= 0.1

Only items of the release are found; what is asked for may be any item, one that was registered today too.
``models/training/content_fit.py`` makes the index and the lists of all items of the data.

Legend: M items of the data, N of them in the release, V terms, Z entries, K neighbours.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import canonical
from engine.features.text import TextHasher
from engine.records import category_path

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

KEPT = 40  # terms of an item
LEAST = 0.1  # cosine; less is chance
_COMPARED, _COMPARED_ITEMS = 10, 2_000  # neighbours of an item, items: what is compared with purchases
_WORD, _PART, _DESCRIPTION, _CATEGORY, _BRAND = 1.0, 0.2, 0.4, 1.0, 0.5


@dataclass(frozen=True)
class ContentIndex:
    """The release's items by term. Term t's entries are ``starts[t] : starts[t + 1]``."""

    terms: npt.NDArray[np.uint32]  # [V] numbers, ascending
    idf: FloatArray  # [V], 0 for a term that too many items have
    starts: IntArray  # [V + 1]
    rows: npt.NDArray[np.int32]  # [Z]
    weights: FloatArray  # [Z]
    boosts: FloatArray  # [N], 1 … 1.1
    rarest: float  # idf of a term that no item of the data has

    def nearest(
        self, record: Mapping[str, Any], hasher: TextHasher, count: int
    ) -> tuple[npt.NDArray[np.int32], FloatArray]:
        """Rows and scores of the release's items that are most like this one, best first; at most ``count``,
        none where nothing is written about it. If it is of the release, it is found itself."""
        numbers, kinds = weighed_terms(record, hasher)
        place = np.minimum(np.searchsorted(self.terms, numbers), max(len(self.terms) - 1, 0))
        known = self.terms[place] == numbers if len(self.terms) else np.zeros(len(numbers), np.bool_)
        weights = kinds * np.where(known, self.idf[place] if len(self.terms) else 0, self.rarest)
        weights = weights.astype(np.float32)
        kept = np.lexsort((numbers, -weights))[:KEPT]
        length = float(np.sqrt(np.square(weights[kept]).sum()))
        kept = kept[known[kept] & (weights[kept] > 0)]
        if not len(kept):
            return np.empty(0, np.int32), np.empty(0, np.float32)
        parts = [slice(self.starts[term], self.starts[term + 1]) for term in place[kept].tolist()]
        rows = np.concatenate([self.rows[part] for part in parts])
        values = [self.weights[part] * weight for part, weight in zip(parts, weights[kept], strict=True)]
        found, inverse = np.unique(rows, return_inverse=True)
        scores = np.bincount(inverse.ravel(), np.concatenate(values), len(found)) / length
        return best(found, scores.astype(np.float32), self.boosts, count)


def weighed_terms(record: Mapping[str, Any], hasher: TextHasher) -> tuple[npt.NDArray[np.uint32], FloatArray]:
    """Numbers of an item's terms and what their kinds weigh, [n] each."""
    words, parts, described = hasher.terms(record)
    names = [canonical(name) for name in category_path(record)]
    levels = {hasher.number("category", "\x1f".join(names[: n + 1])) for n in range(len(names))}
    brand = canonical(record.get("brand"))
    kinds = [
        (words, _WORD),
        (parts, _PART),
        (described, _DESCRIPTION),
        (levels, _CATEGORY),
        ({hasher.number("brand", brand)} if brand else set(), _BRAND),
    ]
    numbers = [number for terms, _ in kinds for number in terms]
    weights = [weight for terms, weight in kinds for _ in terms]
    return np.array(numbers, np.uint32), np.array(weights, np.float32)


def best(
    rows: npt.NDArray[np.int32], cosines: FloatArray, boosts: FloatArray, count: int
) -> tuple[npt.NDArray[np.int32], FloatArray]:
    """The ``count`` best of some items by boosted cosine, best first; of equal ones the first rows."""
    alike = cosines >= LEAST
    rows, scores = rows[alike], cosines[alike] * boosts[rows[alike]]
    order = np.lexsort((rows, -np.round(scores, 4)))[
        :count
    ]  # sums differ in their last digits by their order
    return rows[order].astype(np.int32), scores[order].astype(np.float32)


@dataclass(frozen=True)
class ContentNeighbours:
    """The index, and a list for each item of the data: the release's N first, then those of ``other_ids``."""

    index: ContentIndex
    other_ids: tuple[str, ...]  # items of the data that are not in the release
    rows: npt.NDArray[np.int32]  # [M, K] of the release, best first, -1 = none
    scores: npt.NDArray[np.float16]  # [M, K]


def confirmed_by_purchases(rows: npt.NDArray[np.int32], neighbours: npt.NDArray[np.int32]) -> float:
    """Whether what is written alike is also bought together: an odds ratio, 1 where no more than by chance.

    The odds that one of an item's first ten neighbours by content is among its neighbours by purchases, over
    the odds of any item of the release. NaN where no item has both.

    Args:
        rows: by content, [N, K], -1 = none. neighbours: by purchases, [N, L], -1 = none.
    """
    listed = rows[:, :_COMPARED]
    both = np.flatnonzero((listed >= 0).any(axis=1) & (neighbours >= 0).any(axis=1))
    if not len(both):
        return float("nan")
    looked_at = both[np.linspace(0, len(both) - 1, min(len(both), _COMPARED_ITEMS)).astype(np.int64)]
    there, hits, bought = 0, 0, 0
    for row in looked_at.tolist():
        by_content, by_purchases = listed[row][listed[row] >= 0], neighbours[row][neighbours[row] >= 0]
        there += len(by_content)
        hits += int(np.isin(by_content, by_purchases).sum())
        bought += len(by_purchases)
    share = (hits + 0.5) / (there + 1)  # half a hit more and less: never 0 or 1
    chance = min(bought / len(looked_at) / max(len(rows) - 1, 1), 0.99)
    return float(share / (1 - share) * (1 - chance) / chance)
