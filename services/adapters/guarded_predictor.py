"""A ranker's network that is not asked while it is away, and a release change without a failed request."""

from __future__ import annotations

import time
from collections.abc import Callable
from threading import Lock

import numpy as np
import numpy.typing as npt
import structlog

from engine.errors import Unavailable
from engine.predictor import BadFeeds, Feeds, Predictor, PredictorUnavailable, ReleaseMismatch
from services.common.rpc.breaker import Breaker

_BRIDGE_S = 1.0  # how long after a mismatch PaddleServing is not asked again

log = structlog.get_logger(__name__)


class GuardedPredictor:
    """Implements `Predictor` over another one. Thread-safe.

    PaddleServing serves one release at a time, and changes to the next a little before or after we do. Until
    both agree, the scores come from the release's own ONNX model in this process: no mixture, no failed
    request.

    Args:
        predictor: open, of one release.
        open_bridge: opens the release's ONNX model in process; called at the first mismatch only.
        breaker: keeps a dead network from costing its timeout on each request.
    """

    def __init__(
        self,
        predictor: Predictor,
        open_bridge: Callable[[], Predictor],
        breaker: Breaker | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.release = predictor.release
        self._predictor, self._open_bridge = predictor, open_bridge
        self._breaker = breaker or Breaker(failures=3, probe_s=1.0)
        self._clock = clock
        self._bridge: Predictor | None = None
        self._bridge_until = 0.0
        self._lock = Lock()

    def open(self) -> None:
        """Nothing to do: it was given open."""

    def close(self) -> None:
        """Close the predictors."""
        self._predictor.close()
        if self._bridge is not None:
            self._bridge.close()

    def predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`; never raises `ReleaseMismatch`, and Unavailable without asking while the
        network is taken for dead."""
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
                log.info("rank.bridge", release=self.release, reason=str(error))
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
