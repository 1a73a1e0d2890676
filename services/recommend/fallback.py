"""The last good popular list, held in process for when recall does not answer."""

from __future__ import annotations

from collections.abc import Callable

import structlog

from engine.errors import Unavailable
from engine.features import UserContext
from engine.types import Candidate, RecallResult
from services.common.follower import Follower
from services.common.ports import RecallPort

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
        self._follower = Follower(
            "last-good-list", "fallback.missing", self._follow, REFRESH_S, retry_s=_RETRY_S
        )

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
        self._follower.open()

    def close(self) -> None:
        """Stop refreshing."""
        self._follower.close()

    def refresh(self) -> None:
        """Ask once; on failure keep what there is."""
        try:
            found = self._recall.recall_items(UserContext("", {}, (), 0), _SIZE, _TIMEOUT_S, _CHANNELS)
        except Exception as error:  # whatever recall dies of, the last list stays
            log.info("fallback.kept", error=str(error))
            return
        if found.candidates:
            self._list = found

    def _follow(self) -> None:
        self.refresh()
        self.check_ready()


def popular_candidates(channel: list[tuple[str, float]]) -> tuple[Candidate, ...]:
    """A release's own popular list as candidates, best first; scores fall from 1 towards 0."""
    return tuple(
        Candidate(item_id, 1.0 / (1 + place), ("popular",))
        for place, (item_id, _) in enumerate(channel[:_SIZE])
    )
