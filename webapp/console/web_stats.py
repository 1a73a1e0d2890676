"""Counts and latencies of the web tier's own answers of the last minute, published beside the services'."""

from __future__ import annotations

import json
import os
import random
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import redis
import structlog

WINDOW_S = 60
SLICE_S = 5
SAMPLES = 400  # latencies kept of an endpoint and slice; counts are exact
PUBLISH_S = 5.0
EXPIRE_S = 20
KEY_PREFIX = "ecrs:stats:web:"
log = structlog.get_logger("webapp.console")


@dataclass
class _Slice:
    """One endpoint's answers of five seconds."""

    number: int
    count: int = 0
    errors: int = 0
    took_ms: list[float] = field(default_factory=list)


class WebStats:
    """Counts answers by endpoint. Cheap: one list append an answer; thread-safe enough for figures."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._started = clock()
        self._by_endpoint: dict[str, deque[_Slice]] = {}

    def record(self, endpoint: str, took_ms: float, *, failed: bool) -> None:
        """An answer was given. `endpoint`: a name from our own routes, so there are only so many."""
        number = int(self._clock() // SLICE_S)
        slices = self._by_endpoint.setdefault(endpoint, deque(maxlen=WINDOW_S // SLICE_S + 1))
        if not slices or slices[-1].number != number:
            slices.append(_Slice(number))
        now = slices[-1]
        now.count += 1
        now.errors += failed
        if len(now.took_ms) < SAMPLES:
            now.took_ms.append(took_ms)
        elif (place := random.randrange(now.count)) < SAMPLES:  # every answer is kept with the same chance
            now.took_ms[place] = took_ms

    def snapshot(self) -> dict[str, Any]:
        """The last minute, in the form in which the services publish theirs."""
        oldest = int((self._clock() - WINDOW_S) // SLICE_S)
        rpcs = {}
        for endpoint, slices in list(self._by_endpoint.items()):
            recent = [one for one in list(slices) if one.number > oldest]
            took = sorted(value for one in recent for value in one.took_ms)
            if took:
                rpcs[endpoint] = {
                    "count": sum(one.count for one in recent),
                    "errors": sum(one.errors for one in recent),
                    **{
                        f"p{share}_ms": round(took[min(len(took) - 1, len(took) * share // 100)], 2)
                        for share in (50, 95, 99)
                    },
                }
        return {"service": "web", "pid": os.getpid(), "started_at": self._started, "rpcs": rpcs}


class Publisher:
    """Writes a snapshot to Redis every five seconds until it is stopped."""

    def __init__(self, stats: WebStats, client: redis.Redis, every_s: float = PUBLISH_S) -> None:
        self._stats, self._redis, self._every_s = stats, client, every_s
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web-stats", daemon=True)

    def start(self) -> Publisher:
        """Begin."""
        self._thread.start()
        return self

    def stop(self) -> None:
        """End; what was published expires by itself."""
        self._stop.set()
        self._thread.join(timeout=2.0)

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            snapshot = self._stats.snapshot()
            try:
                self._redis.set(f"{KEY_PREFIX}{snapshot['pid']}", json.dumps(snapshot), ex=EXPIRE_S)
            except (redis.RedisError, OSError) as error:
                log.info("console.stats_not_published", error=str(error))
