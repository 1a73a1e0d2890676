"""The ranker in this process by the compiled kernels, from its folded form (`engine/folded.py`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.folded import FoldedRanker
from engine.predictor import BadFeeds, Feeds, PredictorUnavailable, as_probabilities, count_rows

_FEEDS = ("rank_sparse", "rank_dense")


class FoldedPredictor:
    """Adds up rows of a table, the user's part once; the same probabilities as `OnnxPredictor` within 1e-5.

    Runs on the calling thread, mostly without the GIL.
    """

    def __init__(self, folder: Path, release: str) -> None:
        """Args:
        folder: `rank/folded` of a release.
        release: the release it belongs to.
        """
        self.release = release
        self._folder = folder
        self._ranker: FoldedRanker | None = None

    def open(self) -> None:
        """Map the arrays. Raises `PredictorUnavailable` if one cannot be read."""
        try:
            self._ranker = FoldedRanker.load(self._folder)
        except (OSError, ValueError) as error:
            raise PredictorUnavailable(f"cannot load {self._folder}: {error}") from error

    def close(self) -> None:
        """Drop the arrays; runs in progress finish."""
        self._ranker = None

    def predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`. A run cannot be interrupted: `timeout_s` is checked only before it."""
        ranker = self._ranker
        if ranker is None:
            raise PredictorUnavailable("the folded ranker is not open")
        if timeout_s <= 0:
            raise PredictorUnavailable("no time left to rank")
        rows = count_rows(feeds)
        if set(feeds) != set(_FEEDS):
            raise BadFeeds(f"feeds are {', '.join(sorted(feeds))}, not {', '.join(_FEEDS)}")
        sparse, dense = (np.ascontiguousarray(feeds[name]) for name in _FEEDS)
        if problem := ranker.misfit(sparse, dense):
            raise BadFeeds(problem)
        return as_probabilities(ranker.probabilities(sparse, dense), rows)
