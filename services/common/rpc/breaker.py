"""Circuit breaker: stop asking a target that does not answer, and try it now and then."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from types import TracebackType

FAIR_S = 0.05  # a call that was given less says nothing about its target when it runs out of time
LOST_S = 5.0  # a probe that has said nothing for so long is taken for lost: another call may probe


class Attempt:
    """One allowed call. Tell it once how the call ended; what is told later changes nothing.

    A context manager: a block that is left without a word counts as `unclear`, however it was left, so that
    no attempt stays open.
    """

    def __init__(self, breaker: Breaker, started: float) -> None:
        self._breaker, self._started = breaker, started
        self._settled = False

    @property
    def waited_s(self) -> float:
        """Seconds since the call was allowed."""
        return self._breaker.now() - self._started

    def success(self) -> None:
        """The target answered."""
        self._settle(self._breaker.succeeded)

    def failure(self) -> None:
        """The target did not answer."""
        self._settle(self._breaker.failed)

    def unclear(self) -> None:
        """The call ended without saying anything about the target."""
        self._settle(self._breaker.gave_up)

    def __enter__(self) -> Attempt:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.unclear()

    def _settle(self, tell: Callable[[Attempt], None]) -> None:
        if not self._settled:
            self._settled = True
            tell(self)


class Breaker:
    """Opens after `failures` failures in a row; `probe_s` later lets one call through to see.

    The probe belongs to the attempt that was allowed to make it: what other calls, begun before, say of the
    target does not end it. A probe that is never settled ends by itself after `lost_s`. Thread-safe.
    """

    def __init__(
        self,
        failures: int = 5,
        probe_s: float = 1.0,
        clock: Callable[[], float] = time.monotonic,
        lost_s: float = LOST_S,
    ) -> None:
        self._limit, self._probe_s, self._lost_s = failures, probe_s, lost_s
        self.now = clock
        self._lock = threading.Lock()
        self._failed = 0
        self._retry_at = 0.0
        self._probe: Attempt | None = None
        self._probe_ends = 0.0

    @property
    def is_open(self) -> bool:
        """Whether calls are refused (all but a probe)."""
        return self._failed >= self._limit

    def attempt(self) -> Attempt | None:
        """The leave to call now; None while the target is not to be asked."""
        now = self.now()
        if self._failed < self._limit:  # closed; reading one int needs no lock
            return Attempt(self, now)
        with self._lock:
            if self._failed < self._limit:
                return Attempt(self, now)
            if now < (self._probe_ends if self._probe is not None else self._retry_at):
                return None
            self._probe, self._probe_ends = Attempt(self, now), now + self._lost_s
            return self._probe

    def succeeded(self, _: Attempt) -> None:
        """The target answered this attempt, so it answers: closed."""
        if self._failed or self._probe is not None:
            with self._lock:
                self._failed, self._probe = 0, None

    def failed(self, attempt: Attempt) -> None:
        """The target did not answer this attempt."""
        with self._lock:
            was_open, self._failed = self.is_open, min(self._failed + 1, self._limit)
            if self._probe is attempt:
                self._probe = None
            elif was_open:  # of a call from before: the next probe is not put off
                return
            self._retry_at = self.now() + self._probe_s

    def gave_up(self, attempt: Attempt) -> None:
        """This attempt said nothing: if it was the probe, the next call may probe."""
        if self._probe is attempt:
            with self._lock:
                if self._probe is attempt:
                    self._probe = None
