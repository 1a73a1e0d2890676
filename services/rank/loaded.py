"""A release made ready for ranking: the encoder, and the network behind a predictor."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt
import structlog

from engine.errors import EcrsError, Unavailable
from engine.features import UserContext
from engine.rank import score
from engine.release import Release
from engine.snapshot import Snapshot
from services.common.rpc.breaker import Breaker
from services.rank.predictors import BadFeeds, Feeds, Predictor, PredictorUnavailable, ReleaseMismatch

_READY_S, _WARM_S = 1.0, 10.0
_BRIDGE_S = 1.0  # how long after a mismatch PaddleServing is not asked again

log = structlog.get_logger(__name__)


class LoadedRanker:
    """Scores the rows of one release. Thread-safe.

    PaddleServing serves one release at a time, and changes to the next a little before or after we do.
    Until both agree, the scores come from the pinned release's own ONNX model in this process: no mixture,
    no failed request.

    Args:
        predictor: open, for this release.
        open_bridge: opens the release's ONNX model in process; called at the first mismatch only.
    """

    def __init__(
        self,
        release: Release,
        predictor: Predictor,
        open_bridge: Callable[[], Predictor],
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = release.name
        self.release, self.snapshot = release, Snapshot.of(release)
        self.schema, self.table, self.encoder = release.schema, release.items, self.snapshot.encoder
        self._predictor, self._open_bridge = predictor, open_bridge
        self._breaker = breaker or Breaker(failures=3, probe_s=1.0)
        self._clock = clock
        self._bridge: Predictor | None = None
        self._bridge_until = 0.0
        self._lock = Lock()

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
            return self._predict(feeds, timeout_s)
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
        """Close the predictors."""
        self._predictor.close()
        if self._bridge is not None:
            self._bridge.close()

    def _predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        if self._clock() < self._bridge_until:
            return self._bridged().predict(feeds, timeout_s)
        attempt = self._breaker.attempt()
        if attempt is None:
            raise Unavailable("the ranker's network does not answer; asking it again within a second")
        with attempt:
            try:
                scores = self._predictor.predict(feeds, timeout_s)
            except ReleaseMismatch as error:
                attempt.success()
                log.info("rank.bridge", release=self.name, reason=str(error))
                self._bridge_until = self._clock() + _BRIDGE_S
                return self._bridged().predict(feeds, timeout_s)
            except PredictorUnavailable:
                attempt.failure()
                raise
            except BadFeeds:
                attempt.success()
                raise
            attempt.success()
            return scores

    def _bridged(self) -> Predictor:
        with self._lock:
            if self._bridge is None:
                self._bridge = self._open_bridge()
            return self._bridge
