"""Keeping something up to date in the background."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from engine.errors import EcrsError

_JOIN_S = 5.0

log = structlog.get_logger(__name__)


class Follower:
    """Calls `refresh` again and again in a daemon thread of its own, whatever it raises.

    The first failure of a row of them is logged, as a warning; what is no `EcrsError` with its trace.

    Args:
        name: of the thread.
        failed: the event to log.
        refresh: brings things up to date; may take long and raise anything.
        every_s: seconds from the end of a call to the next one.
        retry_s: the same after a failure; `every_s` if None.
        at_once: whether the first call comes with the start, or after `every_s`.
    """

    def __init__(
        self,
        name: str,
        failed: str,
        refresh: Callable[[], object],
        every_s: float,
        *,
        retry_s: float | None = None,
        at_once: bool = True,
    ) -> None:
        self._name, self._failed, self._refresh, self._every_s = name, failed, refresh, every_s
        self._retry_s = every_s if retry_s is None else retry_s
        self._at_once = at_once
        self._stop = Event()
        self._thread: Thread | None = None
        self._failing = False

    def open(self) -> None:
        """Start."""
        self._thread = Thread(target=self._run, name=self._name, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop; waits for a call that is running, some seconds at most."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_JOIN_S)

    def rest(self, seconds: float) -> bool:
        """Let others run; whether `refresh` is to end, as `close` was called."""
        return self._stop.wait(seconds)

    def _run(self) -> None:
        wait_s = 0.0 if self._at_once else self._every_s
        while not self._stop.wait(wait_s):
            wait_s = self._every_s if self._succeeds() else self._retry_s

    def _succeeds(self) -> bool:
        try:
            self._refresh()
        except Exception as error:  # whatever it is, what is known goes on being used
            if not self._failing:
                log.warning(self._failed, error=str(error), exc_info=not isinstance(error, EcrsError))
            self._failing = True
        else:
            self._failing = False
        return not self._failing
