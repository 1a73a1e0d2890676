"""Recall: from the whole catalogue to some hundred candidates."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace
from typing import Protocol

import numpy as np
import numpy.typing as npt
import structlog

from engine.errors import DeadlineExceeded, NotFound, Unavailable
from engine.features import UserContext
from engine.recall.channels import REGISTRY, Request
from engine.recall.filters import LiveSet
from engine.recall.merge import NEW_SHOPPER, Found, Joined, Quotas, merge
from engine.snapshot import Snapshot
from engine.types import NO_FILTER, Candidate, ChannelReport, ItemFilter, RecallResult
from engine.vocabulary import CHANNELS, SIMILAR_CHANNELS, Degradation
from services.common.validate import check_channels, check_filter, check_id, check_range

MAX_TOP_K = 1_000

log = structlog.get_logger(__name__)


class Releases(Protocol):
    """The releases that are loaded here. `get("")` is the current one; raises ReleaseNotLoaded."""

    def get(self, name: str) -> Snapshot: ...


class LiveAvailability(Protocol):
    """What cannot be bought now."""

    @property
    def current(self) -> LiveSet: ...


class RecallService:
    """Implements `RecallPort`."""

    def __init__(
        self, releases: Releases, availability: LiveAvailability, quotas: Quotas | None = None
    ) -> None:
        self._releases, self._availability = releases, availability
        self._quotas, self._new_shopper = quotas or Quotas(), quotas or NEW_SHOPPER
        self._similar = quotas  # None: those of the release

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
        end = time.monotonic() + timeout_s
        _check(top_k, timeout_s, item_filter)
        wanted = check_channels(channels) or CHANNELS
        loaded = self._releases.get(release)
        past = loaded.encoder.summary(context)
        live = self._availability.current
        allowed = loaded.allowed(item_filter, past, live)
        request = Request(loaded, context, past, allowed, top_k, end - time.monotonic(), item_filter, live)
        found: dict[str, Found] = {}
        reports: list[ChannelReport] = []
        degraded: set[Degradation] = set()
        for name in wanted:
            request.timeout_s = max(end - time.monotonic(), 0.001)
            try:
                found[name] = REGISTRY[name](request)
            except Exception as error:  # whatever a channel dies of, it must not cost the shopper the list
                log.warning("channel.failed", channel=name, error=str(error), exc_info=_is_bug(error))
                reports.append(ChannelReport(name, 0, str(error) if not _is_bug(error) else "internal error"))
                if name == "two_tower" and not request.index_failed:
                    degraded.add(Degradation.RECALL)
            else:
                reports.append(ChannelReport(name, len(found[name].rows)))
        if request.index_failed:
            degraded.add(Degradation.INDEX)
        quotas = self._quotas if past.n_events else self._new_shopper
        candidates = merge(found, quotas, top_k, Joined(loaded.item_ids, request.fresh_ids))
        return RecallResult(candidates, loaded.name, frozenset(degraded), tuple(reports))

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult:
        """See `RecallPort`. Neighbours by shoppers, the nearest vectors and what is written alike; never the
        item itself. An item that the release lacks has only the last of these."""
        end = time.monotonic() + timeout_s
        item_id = check_id("item_id", item_id)
        wanted = check_channels(channels, SIMILAR_CHANNELS) or SIMILAR_CHANNELS
        _check(top_k, timeout_s, item_filter)
        loaded = self._releases.get(release)
        row = int(loaded.rows_of([item_id])[0])
        found: dict[str, Found] = {}
        if "content" in wanted and loaded.alike is not None:
            found["content"] = Found(*loaded.alike.of(item_id))
        if row < 0 and not ("content" in found and len(found["content"].rows)):
            raise NotFound(f"item {item_id} is not in release {loaded.name}")
        live = self._availability.current
        shared = loaded.allowed(item_filter, None, live)
        allowed = np.ones(len(loaded.item_ids), np.bool_) if shared is None else shared.copy()
        degraded: set[Degradation] = set()
        if "content" in found:
            rows, scores = found["content"].rows, found["content"].scores
            permitted = allowed[rows]
            found["content"] = Found(rows[permitted][:top_k], scores[permitted][:top_k])
        if row >= 0:
            allowed[row] = False
        if row >= 0 and "item_to_item" in wanted:
            near = np.asarray(loaded.neighbours[row], np.int64)
            kept = np.flatnonzero((near >= 0) & allowed[near])[:top_k]
            reasons = np.full(len(kept), row, np.int64)
            found["item_to_item"] = Found(near[kept], loaded.neighbour_scores[row][kept], reasons)
        if row >= 0 and "two_tower" in wanted:
            try:
                rows, scores, failed = loaded.search.nearest(
                    loaded.vectors[row], top_k, allowed, max(end - time.monotonic(), 0.001)
                )
            except Unavailable as error:
                log.warning("channel.failed", channel="two_tower", error=str(error))
                degraded.add(Degradation.INDEX)
            else:
                found["two_tower"] = Found(rows, scores)
                if failed:
                    degraded.add(Degradation.INDEX)
        candidates: tuple[Candidate, ...] = tuple(
            replace(one, reason_item_id=item_id) if one.channels[0] == "content" else one
            for one in merge(found, self._similar or loaded.similar_quotas, top_k, loaded.item_ids)
        )
        reports = tuple(ChannelReport(name, len(part.rows)) for name, part in found.items())
        return RecallResult(candidates, loaded.name, frozenset(degraded), reports)

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[npt.NDArray[np.float32], str]:
        """See `RecallPort`."""
        if timeout_s <= 0:
            raise DeadlineExceeded("no time is left to encode the user")
        loaded = self._releases.get(release)
        return loaded.encode_user(context), loaded.name


def _check(top_k: int, timeout_s: float, item_filter: ItemFilter) -> None:
    check_range("top_k", top_k, 1, MAX_TOP_K)
    check_filter(item_filter)
    if timeout_s <= 0:
        raise DeadlineExceeded("no time is left to recall items")


def _is_bug(error: Exception) -> bool:
    """Whether an error was not foreseen, so that its trace belongs into the log."""
    return not isinstance(error, Unavailable)
