"""What stands in: the last good popular list while recall does not answer, the last details while item does
not."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Sequence
from threading import Lock

import structlog

from engine.candidates import NO_CANDIDATES, RecallResult
from engine.chain import ItemStage
from engine.errors import Unavailable
from engine.features import UserContext
from engine.types import Item
from services.common.follower import Follower
from services.common.ports import RecallPort

REFRESH_S = 15.0
_RETRY_S = 1.0  # while there is no list yet
_TIMEOUT_S = 2.0
SIZE = 300
_REMEMBERED = 20_000  # items
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
        return self._list or RecallResult(NO_CANDIDATES, "")

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
            found = self._recall.recall_items(UserContext("", {}, (), 0), SIZE, _TIMEOUT_S, _CHANNELS)
        except Exception as error:  # whatever recall dies of, the last list stays
            log.info("fallback.kept", error=str(error))
            return
        if len(found.candidates):
            self._list = found

    def _follow(self) -> None:
        self.refresh()
        self.check_ready()


class RememberedItems:
    """The item stage, and the details that were read last, for when it does not answer. Thread-safe."""

    def __init__(self, item: ItemStage) -> None:
        self._item = item
        self._last: OrderedDict[str, Item] = OrderedDict()
        self._lock = Lock()

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        """See `ItemPort`."""
        items, missing = self._item.batch_get_items(item_ids, timeout_s)
        with self._lock:
            for item in items:
                self._last[item.item_id] = item
                self._last.move_to_end(item.item_id)
            while len(self._last) > _REMEMBERED:
                self._last.popitem(last=False)
        return items, missing

    def remembered(self, item_ids: Sequence[str]) -> dict[str, Item]:
        """The last details of these items, by id; those never read are left out."""
        with self._lock:
            return {item_id: self._last[item_id] for item_id in item_ids if item_id in self._last}
