"""What a vector index is."""

from __future__ import annotations

from typing import Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import Unavailable

Rows = npt.NDArray[np.int64]
Scores = npt.NDArray[np.float32]
Vector = npt.NDArray[np.float32]


class IndexUnavailable(Unavailable):
    """The index cannot answer now: not running, too slow, or failing. Trying again may help."""


class IndexMismatch(IndexUnavailable):
    """The index holds something else than this release's vectors; its answers must not be used."""


class VectorIndex(Protocol):
    """Nearest items of one release. Thread-safe between `open` and `close`."""

    def open(self) -> None:
        """Connect and check. A failure is not final: `search` tries again.

        Raises:
            IndexUnavailable: nobody answers.
            IndexMismatch: it holds another release, metric or dimension, or is not complete.
        """

    def close(self) -> None:
        """Give everything back; safe to call twice."""

    def ready(self) -> bool:
        """Whether a search would be answered now; asks the index, waits a second at most."""
        ...

    def search(self, vector: Vector, top_k: int, timeout_s: float) -> tuple[Rows, Scores]:
        """The items with the highest inner product.

        Args:
            vector: float32 [D], L2-normalised.
            top_k: at least 1.
            timeout_s: seconds left for the answer.

        Returns:
            Rows of the release, int64 [k], and inner products, float32 [k], in [-1, 1], best first;
            k = min(top_k, items).

        Raises:
            ValueError: `vector` has not D numbers.
            IndexUnavailable, IndexMismatch: as `open`, or no answer in time.
        """
        ...
