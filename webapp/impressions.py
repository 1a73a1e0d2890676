"""What was shown, on its way to the user service: beside the page, which never waits for it.

An impression that cannot be recorded is counted, told in one log line and forgotten: it is a figure for those
who measure lists, nothing that a shopper would miss.
"""

from __future__ import annotations

import contextvars
from collections.abc import Sequence

import gevent
import structlog

from engine.errors import EcrsError
from engine.types import UserEvent
from services.common.ports import UserPort

MOST_AT_ONCE = 64  # batches on their way; more means that the user service hangs
log = structlog.get_logger("webapp.impressions")


class Impressions:
    """Sends batches of impressions, each in a greenlet of its own. `lost`: impressions not recorded."""

    def __init__(self) -> None:
        self.lost = 0
        self._running: set[gevent.Greenlet] = set()

    def send(self, users: UserPort, batch: Sequence[UserEvent], timeout_s: float) -> None:
        """Record the batch, at most 1,000 events, after the caller has gone on. Never an EcrsError."""
        if not batch:
            return
        if len(self._running) >= MOST_AT_ONCE:
            self._lose(batch, "too many batches are on their way")
            return
        # A copy of the context: the request id travels on.
        run = contextvars.copy_context().run
        greenlet = gevent.Greenlet(run, self._record, users, tuple(batch), timeout_s)
        self._running.add(greenlet)
        greenlet.rawlink(self._running.discard)
        greenlet.start()

    def wait(self, timeout_s: float) -> bool:
        """Let what is on its way arrive, for so many seconds at most; whether all of it did."""
        gevent.joinall(list(self._running), timeout=timeout_s)
        return not self._running

    def _record(self, users: UserPort, batch: Sequence[UserEvent], timeout_s: float) -> None:
        try:
            users.record_user_events(batch, timeout_s)
        except EcrsError as error:
            self._lose(batch, str(error))

    def _lose(self, batch: Sequence[UserEvent], why: str) -> None:
        self.lost += len(batch)
        log.warning("impressions.not_recorded", count=len(batch), lost=self.lost, message=why)
