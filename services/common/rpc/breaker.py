"""Circuit breaker: stop asking a target that does not answer, and try it now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable


class Breaker:
    """Opens after `failures` failures in a row; `probe_s` later lets one call through to see.

    Thread-safe. `allow()` before a call; `success()`, `failure()` or `unclear()` after every allowed one.
    """

    def __init__(
        self, failures: int = 5, probe_s: float = 1.0, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._limit, self._probe_s, self._clock = failures, probe_s, clock
        self._lock = threading.Lock()
        self._failed = 0
        self._retry_at = 0.0
        self._probing = False

    @property
    def is_open(self) -> bool:
        """Whether calls are refused (all but a probe)."""
        return self._failed >= self._limit

    def allow(self) -> bool:
        """Whether a call may be made now."""
        if self._failed < self._limit:  # closed; reading one int needs no lock
            return True
        with self._lock:
            if self._failed < self._limit:
                return True
            if self._probing or self._clock() < self._retry_at:
                return False
            self._probing = True
            return True

    def success(self) -> None:
        """The target answered."""
        if self._failed or self._probing:
            with self._lock:
                self._failed, self._probing = 0, False

    def failure(self) -> None:
        """The target did not answer."""
        with self._lock:
            self._failed = min(self._failed + 1, self._limit)
            self._probing = False
            if self._failed >= self._limit:
                self._retry_at = self._clock() + self._probe_s

    def unclear(self) -> None:
        """The call ended without saying anything about the target."""
        if self._probing:
            with self._lock:
                self._probing = False
