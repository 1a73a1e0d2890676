"""A release made ready for ranking: the encoder, and the network behind a predictor."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import structlog

from engine.errors import EcrsError, Unavailable
from engine.features import UserContext
from engine.predictor import BadFeeds, Feeds, Predictor
from engine.rank import score
from engine.release import Release
from engine.snapshot import Snapshot

_READY_S, _WARM_S = 1.0, 10.0

log = structlog.get_logger(__name__)


class LoadedRanker:
    """Scores the rows of one release. Thread-safe.

    Args:
        predictor: open, for this release.
        snapshot: of the release, where other stages of the process have it already.
    """

    def __init__(self, release: Release, predictor: Predictor, snapshot: Snapshot | None = None) -> None:
        self.name = release.name
        self.release, self.snapshot = release, snapshot or Snapshot.of(release)
        self.schema, self.table, self.encoder = release.schema, release.items, self.snapshot.encoder
        self._predictor = predictor

    def score(
        self, context: UserContext, rows: npt.NDArray[np.int64], timeout_s: float
    ) -> npt.NDArray[np.float32]:
        """Probability of each row, float32 [C]; −1 for rows that the release lacks. See `engine.rank.score`.

        Raises:
            Unavailable: the predictor does not answer.
        """
        return score(self.snapshot, context, rows, self.probabilities, timeout_s)

    def probabilities(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """Probability of each row of feeds, float32 [C]. Raises Unavailable."""
        try:
            return self._predictor.predict(feeds, timeout_s)
        except BadFeeds as error:
            raise EcrsError(f"the ranker of {self.name} refuses our features: {error}") from error

    def check_ready(self, timeout_s: float = _READY_S) -> None:
        """Score one item: a readiness check. Raises Unavailable if the predictor does not answer."""
        self.score(UserContext("", {}, (), self.table.data_end + 1), np.zeros(1, np.int64), timeout_s)

    def warm(self) -> None:
        """Run everything once, so that the first shopper does not pay for what happens once.

        A predictor that is away is no reason to refuse the release: it may come back at any time.

        Raises:
            EcrsError: the network does not take our features.
        """
        try:
            self.check_ready(_WARM_S)
        except Unavailable as error:
            log.warning("rank.not_warm", release=self.name, reason=str(error))

    def close(self) -> None:
        """Close the predictor."""
        self._predictor.close()
