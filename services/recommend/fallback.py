"""The last good popular list, held in process for when recall does not answer."""

from __future__ import annotations

from collections.abc import Callable
from threading import Event, Thread

import structlog

from models.features import UserContext
from services.common.errors import Unavailable
from services.common.ports import Candidate, RecallPort, RecallResult

REFRESH_S = 15.0
_RETRY_S = 1.0  # while there is no list yet
_TIMEOUT_S = 2.0
_SIZE = 300
_CHANNELS = ("popular", "trending", "new")

log = structlog.get_logger(__name__)


class LastGoodList:
    """Asks recall for its impersonal channels now and then, and keeps the last answer.

    Args:
        recall: asked in a thread of its own.
        seed: a list to begin with, for a start while recall is down; may give None.
    """

    def __init__(self, recall: RecallPort, seed: Callable[[], RecallResult | None]) -> None:
        self._recall, self._seed = recall, seed
        self._list: RecallResult | None = None
        self._stop = Event()
        self._thread: Thread | None = None

    @property
    def current(self) -> RecallResult:
        """The list; empty only if there never was one."""
        return self._list or RecallResult((), "")

    def check_ready(self) -> None:
        """Raises Unavailable while there is no list at all: a readiness check."""
        if not self._list:
            raise Unavailable("neither recall nor a release on disk has given a list yet")

    def open(self) -> None:
        """Take the seed, then keep the list fresh in the background."""
        self._list = self._seed()
        self._thread = Thread(target=self._run, name="last-good-list", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop refreshing."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=_TIMEOUT_S + 1)

    def refresh(self) -> None:
        """Ask once; on failure keep what there is."""
        try:
            found = self._recall.recall_items(UserContext("", {}, (), 0), _SIZE, _TIMEOUT_S, _CHANNELS)
        except Exception as error:  # whatever recall dies of, the last list stays
            log.info("fallback.kept", error=str(error))
            return
        if found.candidates:
            self._list = found

    def _run(self) -> None:
        wait_s = 0.0
        while not self._stop.wait(wait_s):
            self.refresh()
            wait_s = REFRESH_S if self._list else _RETRY_S


def popular_candidates(channel: list[tuple[str, float]]) -> tuple[Candidate, ...]:
    """A release's own popular list as candidates, best first; scores fall from 1 towards 0."""
    return tuple(
        Candidate(item_id, 1.0 / (1 + place), ("popular",))
        for place, (item_id, _) in enumerate(channel[:_SIZE])
    )
