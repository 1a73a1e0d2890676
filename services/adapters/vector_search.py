"""Vector search that keeps answering: filters, and exact search over the release's own vectors."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import structlog

from engine.errors import Unavailable
from engine.recall.exact import nearest_allowed
from engine.recall.filters import Mask, Rows
from engine.recall.index import IndexUnavailable, Vector, VectorIndex
from services.common.rpc.breaker import Breaker

Floats = npt.NDArray[np.float32]

_FEW_ROWS = 4_096  # so few allowed rows are searched exactly: cheaper than any index's answer, and complete
_INDEX_SHARE = 0.5  # of the time that remains: exact search must still be able to answer
_MOST_FETCHED = 4_096  # beyond this over-fetching costs more than exact search

log = structlog.get_logger(__name__)


class GuardedSearch:
    """Nearest items of one release, restricted to allowed rows.

    Args:
        index: the vector index of the release.
        vectors: float32 [N, D], the release's own, for exact search.
        exact_limit: most items for which exact search stands in for an index that is away.
        breaker: keeps a dead index from costing its timeout on each request.
    """

    def __init__(
        self, index: VectorIndex, vectors: npt.NDArray[np.float32], exact_limit: int, breaker: Breaker
    ) -> None:
        self._index, self._vectors, self._breaker = index, vectors, breaker
        self._exact_allowed = len(vectors) <= exact_limit

    def close(self) -> None:
        """Close the index."""
        self._index.close()

    def nearest(
        self, vector: Vector, top_k: int, allowed: Mask | None, timeout_s: float
    ) -> tuple[Rows, Floats, bool]:
        """Rows int64 [k'], inner products float32 [k'], best first, and whether the index failed.

        Raises:
            Unavailable: the index failed and the release is too large to be searched exactly.
        """
        permitted = len(self._vectors) if allowed is None else int(np.count_nonzero(allowed))
        if permitted == 0:
            return np.empty(0, np.int64), np.empty(0, np.float32), False
        if allowed is not None and permitted <= min(_FEW_ROWS, len(self._vectors) // 2):
            rows, scores = nearest_allowed(self._vectors, vector, top_k, allowed)
            return rows, scores, False
        # What is not allowed takes places in the index's answer: ask for as many more.
        share = len(self._vectors) / permitted
        wanted = min(int(top_k * share * 1.1) + (16 if share > 1 else 0), len(self._vectors))
        if wanted > max(_MOST_FETCHED, top_k) and self._exact_allowed:
            rows, scores = nearest_allowed(self._vectors, vector, top_k, allowed)
            return rows, scores, False
        found = self._ask(vector, wanted, timeout_s)
        if found is None:
            rows, scores = nearest_allowed(self._vectors, vector, top_k, allowed)
            return rows, scores, True
        rows, scores = found
        if allowed is not None:
            kept = allowed[rows]
            rows, scores = rows[kept], scores[kept]
            if len(rows) < min(top_k, permitted) and self._exact_allowed:
                rows, scores = nearest_allowed(self._vectors, vector, top_k, allowed)
        return rows[:top_k], scores[:top_k], False

    def _ask(self, vector: Vector, wanted: int, timeout_s: float) -> tuple[Rows, Floats] | None:
        """The index's answer; None if exact search must stand in."""
        attempt = self._breaker.attempt()
        if attempt is None:
            if not self._exact_allowed:
                raise Unavailable("the vector index is away, and the release is too large for exact search")
            return None
        with attempt:
            try:
                found = self._index.search(vector, wanted, timeout_s * _INDEX_SHARE)
            except IndexUnavailable as error:
                attempt.failure()
                log.warning("index.unavailable", error=str(error), exact=self._exact_allowed)
                if not self._exact_allowed:
                    raise
                return None
            attempt.success()
            return found
