"""What a ranker's network is to those who ask it: feeds in, probabilities out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.errors import Unavailable

Feeds = Mapping[str, np.ndarray[Any, Any]]


class PredictorUnavailable(Unavailable):
    """The predictor cannot answer now: not running, too slow, or failing. Trying again may help."""


class ReleaseMismatch(PredictorUnavailable):
    """The predictor serves another release than the one asked for; its scores must not be used."""


class BadFeeds(ValueError):
    """Feeds that do not fit the model: a fault of the caller, trying again will not help."""


class Predictor(Protocol):
    """The ranker's network. Thread-safe between `open` and `close`.

    Attributes:
        release: the release whose probabilities it gives.
    """

    release: str

    def open(self) -> None:
        """Load or connect. Raises `PredictorUnavailable` if what is needed is missing on this machine."""

    def close(self) -> None:
        """Give everything back; safe to call twice."""

    def predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """Probability of each row.

        Args:
            feeds: name → array [B, …], B ≥ 1, as `engine.features.FeatureEncoder.rank` makes them.
            timeout_s: seconds left for the answer.

        Returns:
            float32 [B], each in [0, 1].

        Raises:
            PredictorUnavailable: no answer, or none in time.
            ReleaseMismatch: the answer is another release's.
            BadFeeds: names, dtypes or shapes are not the model's.
        """
        ...


def count_rows(feeds: Feeds) -> int:
    """The number of rows B that all feeds share. Raises `BadFeeds` if they differ or there are none."""
    counts = {len(array) for array in feeds.values()}
    if len(counts) != 1:
        raise BadFeeds(f"feeds have {sorted(counts)} rows" if counts else "no feeds")
    (rows,) = counts
    if not rows:
        raise BadFeeds("no rows")
    return rows


def as_probabilities(output: np.ndarray[Any, Any], rows: int) -> npt.NDArray[np.float32]:
    """The model's output as float32 [B]; models export [B] or [B, 1].

    Raises:
        PredictorUnavailable: another number of values than rows: not our ranker.
    """
    if output.size != rows:
        raise PredictorUnavailable(f"the ranker gave {output.size} values for {rows} rows")
    return np.ascontiguousarray(output, dtype=np.float32).reshape(rows)
