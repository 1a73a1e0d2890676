"""How often the shared cache had what was asked for, by name, over all front ends: counted in Redis.

Counts are gathered in the process and sent at most once a second, so that counting costs a page nothing. What
a front end counted in its last second is lost when it ends.
"""

from __future__ import annotations

import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

import redis
import structlog

from engine.errors import Unavailable
from services.common.redis import connect
from webapp.redis_health import RedisHealth

KEY = "ecrs:web:cache-counts"
SEND_EVERY_S = 1.0
log = structlog.get_logger("webapp.cache")


@dataclass(frozen=True)
class CacheCount:
    """`stale`: misses for which an old copy stood in during an outage; part of `misses`."""

    hits: int = 0
    misses: int = 0
    stale: int = 0

    @property
    def hit_rate(self) -> float:
        """In [0, 1]; 0 before the first request."""
        asked = self.hits + self.misses
        return self.hits / asked if asked else 0.0


class CacheCounters:
    """Counts of this process, on their way to the sums in Redis. `redis_url` None: of this process only."""

    def __init__(self, redis_url: str | None, health: RedisHealth | None = None) -> None:
        self._redis_url = redis_url
        self._health = health or RedisHealth()
        self._client: redis.Redis | None = None
        self._pending: Counter[str] = Counter()
        self._sent: Counter[str] = Counter()
        self._send_at = 0.0

    def add(self, name: str, what: str) -> None:
        """One more; `what` is hits, misses or stale."""
        self._pending[f"{name}/{what}"] += 1
        if time.monotonic() >= self._send_at:
            self._send()

    def totals(self) -> dict[str, CacheCount]:
        """The sums by name; those of this process alone while Redis does not answer."""
        self._send()
        sums: dict[str, int] = dict(self._sent + self._pending)
        client = self._connected()
        if client is not None:
            try:
                with self._health.asking():
                    stored: Any = client.hgetall(KEY)
                sums = {field.decode(): int(count) for field, count in stored.items()}
            except (redis.RedisError, OSError, ValueError, Unavailable) as error:
                log.warning("cache_counts.not_read", error=str(error))
        names = sorted({field.partition("/")[0] for field in sums})
        return {
            name: CacheCount(*(sums.get(f"{name}/{what}", 0) for what in ("hits", "misses", "stale")))
            for name in names
        }

    def _send(self) -> None:
        self._send_at = time.monotonic() + SEND_EVERY_S
        client, pending = self._connected(), self._pending
        if client is None or not pending:
            return
        self._pending = Counter()  # before the call: others count on while this one waits
        try:
            with self._health.asking(), client.pipeline(transaction=False) as pipeline:
                for field, count in pending.items():
                    pipeline.hincrby(KEY, field, count)
                pipeline.execute()
        except (redis.RedisError, OSError, Unavailable) as error:
            self._pending += pending
            log.warning("cache_counts.not_sent", error=str(error))
        else:
            self._sent += pending

    def _connected(self) -> redis.Redis | None:
        if self._client is None and self._redis_url is not None:
            self._client = connect(self._redis_url)
        return self._client
