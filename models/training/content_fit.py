"""Makes the index of ``engine/recall/content.py`` and the lists of all items, by sparse products."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from engine.features.text import TextHasher
from engine.recall.content import KEPT, ContentIndex, ContentNeighbours, best, weighed_terms
from engine.records import record_id

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

NEIGHBOURS = 24
_BLOCK = 1024  # items whose scores are held at once
_COMMON, _COMMON_SHARE = 1_000, 0.05  # a term of more items than both says little
_BOOST = 0.1


def fit_content(
    records: Sequence[Mapping[str, Any]], chosen: IntArray, popularity: FloatArray, seed: int
) -> ContentNeighbours | None:
    """The index of the ``chosen`` items [N] (indices in ``records``, in row order) and the neighbours of all
    M records; None where nothing is written about any. ``popularity`` [N], 0 … 1."""
    terms, idf, vectors = _vectors(records, TextHasher(seed))
    targets = vectors[chosen]
    if not targets.nnz:
        return None
    by_term = targets.T.tocsr()  # [V, N]
    boosts = (1.0 + _BOOST * popularity).astype(np.float32)
    index = ContentIndex(
        terms,
        idf,
        by_term.indptr.astype(np.int64),
        by_term.indices.astype(np.int32),
        by_term.data.astype(np.float32),
        boosts,
        float(np.log1p(len(records))),
    )
    others = np.setdiff1d(np.arange(len(records)), chosen)
    order = np.concatenate([chosen, others])
    rows = np.full((len(order), NEIGHBOURS), -1, np.int32)
    scores = np.zeros((len(order), NEIGHBOURS), np.float16)
    for begin in range(0, len(order), _BLOCK):
        product = vectors[order[begin : begin + _BLOCK]] @ by_term  # [b, N]
        for line in range(product.shape[0]):
            part = slice(product.indptr[line], product.indptr[line + 1])
            near, cosines = product.indices[part], product.data[part]
            own = near != begin + line  # an item of the release is not its own neighbour
            found, values = best(near[own], cosines[own], boosts, NEIGHBOURS)
            rows[begin + line, : len(found)], scores[begin + line, : len(found)] = found, values
    ids = tuple(record_id(records[item]) for item in others.tolist())
    return ContentNeighbours(index, ids, rows, scores)


def _vectors(
    records: Sequence[Mapping[str, Any]], hasher: TextHasher
) -> tuple[npt.NDArray[np.uint32], FloatArray, Any]:
    """Terms [V], their idf [V] and the items' vectors, CSR [M, V], each of length 1 or empty."""
    numbers, kinds, counts = [], [], []
    for record in records:
        found, weights = weighed_terms(record, hasher)
        numbers.append(found)
        kinds.append(weights)
        counts.append(len(found))
    item = np.repeat(np.arange(len(records)), counts)
    terms, column, items_with = np.unique(
        np.concatenate(numbers or [np.empty(0, np.uint32)]), return_inverse=True, return_counts=True
    )
    common = items_with > max(_COMMON, _COMMON_SHARE * len(records))
    idf = np.where(common, 0.0, np.log((1 + len(records)) / (1 + items_with))).astype(np.float32)
    weight = np.concatenate(kinds or [np.empty(0, np.float32)]) * idf[column.ravel()]
    order = np.lexsort((terms[column.ravel()], -weight, item))
    item, column, weight = item[order], column.ravel()[order], weight[order]
    place = np.arange(len(item)) - np.searchsorted(item, item)  # among its item's terms
    kept = (place < KEPT) & (weight > 0)
    item, column, weight = item[kept], column[kept], weight[kept]
    length = np.sqrt(np.bincount(item, np.square(weight.astype(np.float64)), len(records)))
    values = (weight / length[item]).astype(np.float32)
    return terms, idf, scipy.sparse.csr_matrix((values, (item, column)), (len(records), len(terms)))
