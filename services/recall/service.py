"""Recall: checks what is asked, and runs the engine's recall over a release that is loaded here."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from engine.candidates import RecallResult
from engine.errors import DeadlineExceeded, NotFound, Unavailable
from engine.features import UserContext
from engine.recall.channels import Request, recall, recall_similar
from engine.recall.filters import LiveSet
from engine.recall.merge import Quotas
from engine.snapshot import Snapshot
from engine.types import NO_FILTER, ItemFilter
from engine.vocabulary import DEFAULT_SIMILAR, DEFAULT_TOP_K, MAX_TOP_K, SIMILAR_CHANNELS
from services.common.validate import check_channels, check_filter, check_id, coerced_page_size

log = structlog.get_logger(__name__)


class Releases(Protocol):
    """The releases that are loaded here. `get("")` is the current one; raises ReleaseNotLoaded."""

    def get(self, name: str) -> Snapshot: ...


class LiveAvailability(Protocol):
    """What cannot be bought now."""

    @property
    def current(self) -> LiveSet: ...


class RecallService:
    """Implements `RecallPort`. `quotas`: None for those of the release and the shopper."""

    def __init__(
        self, releases: Releases, availability: LiveAvailability, quotas: Quotas | None = None
    ) -> None:
        self._releases, self._availability, self._quotas = releases, availability, quotas

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult:
        """See `RecallPort`. A channel that fails is reported; the others fill the list."""
        left_s = _remaining(timeout_s)
        top_k = coerced_page_size(top_k, "top_k", default=DEFAULT_TOP_K, most=MAX_TOP_K)
        _check(timeout_s, item_filter)
        channels = check_channels(channels)
        snapshot = self._releases.get(release)
        past, live = snapshot.encoder.summary(context), self._availability.current
        request = Request(snapshot, context, past, top_k, left_s, item_filter, live)
        found = recall(request, channels, self._quotas, _channel_failed)
        return RecallResult(found.candidates, snapshot.name, found.degraded, found.reports)

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult:
        """See `RecallPort`."""
        left_s = _remaining(timeout_s)
        item_id = check_id("item_id", item_id)
        channels = check_channels(channels, SIMILAR_CHANNELS)
        top_k = coerced_page_size(top_k, "top_k", default=DEFAULT_SIMILAR, most=MAX_TOP_K)
        _check(timeout_s, item_filter)
        snapshot = self._releases.get(release)
        allowed = snapshot.allowed(item_filter, None, self._availability.current)
        found = recall_similar(
            snapshot, item_id, top_k, allowed, left_s, channels, self._quotas, _channel_failed
        )
        if found is None:
            raise NotFound(f"item {item_id} is not in release {snapshot.name}")
        return RecallResult(found.candidates, snapshot.name, found.degraded, found.reports)

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[npt.NDArray[np.float32], str]:
        """See `RecallPort`."""
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to encode the user")
        snapshot = self._releases.get(release)
        return snapshot.encode_user(context), snapshot.name


def _remaining(timeout_s: float) -> Callable[[], float]:
    end = time.monotonic() + timeout_s
    return lambda: end - time.monotonic()


def _check(timeout_s: float, item_filter: ItemFilter) -> None:
    check_filter(item_filter)
    if timeout_s <= 0:
        raise DeadlineExceeded("no time is left to recall items")


def _channel_failed(channel: str, error: Exception) -> None:
    foreseen = isinstance(error, Unavailable)
    log.warning("channel.failed", channel=channel, error=str(error), exc_info=None if foreseen else error)
