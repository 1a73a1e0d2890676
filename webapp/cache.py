"""Data that is the same for every shopper, kept in Redis by Flask-Caching so that all front ends share it.

**Nothing personal goes in here**: no page, no list made for a shopper, no session. The keys in use are the
rails that are the same for all, similar products, variants, searches and the persona pages.
See docs/adr/0070 and 0111.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from flask import Flask
from flask_caching import Cache
from flask_caching.backends.rediscache import RedisCache

from engine.errors import DeadlineExceeded, ReleaseNotLoaded, Unavailable
from services.common.redis import connect
from webapp.cache_counters import CacheCount, CacheCounters
from webapp.recent import Recent
from webapp.redis_health import RedisHealth
from webapp.stale import mark_stale

KEY_PREFIX = "ecrs:web:"
KEEP_S = 86_400  # how long an old copy may stand in for a service that does not answer
MAX_LOCAL = 1024  # keys of which this process keeps a copy of its own; each holds some kilobytes
OUTAGES = (Unavailable, DeadlineExceeded, ReleaseNotLoaded)
"""Errors that pass: an older copy is better than none."""

T = TypeVar("T")
log = structlog.get_logger("webapp.cache")


class JsonSerializer:
    """JSON instead of cachelib's pickle: whoever can write to Redis must not be able to run code here."""

    def dumps(self, value: Any) -> bytes:
        """The value as UTF-8 JSON."""
        return json.dumps(value, separators=(",", ":")).encode()

    def loads(self, value: bytes | None) -> Any:
        """The value again; None for a missing key and for bytes that are not ours."""
        try:
            return None if value is None else json.loads(value)
        except ValueError:
            return None


class JsonRedisCache(RedisCache):
    """Flask-Caching's Redis backend with JSON values and a client that gives up quickly."""

    serializer = JsonSerializer()  # type: ignore[assignment]  # only dumps and loads are called

    @classmethod
    def factory(
        cls, app: Flask, config: dict[str, Any], args: list[Any], kwargs: dict[str, Any]
    ) -> JsonRedisCache:
        """What Flask-Caching calls to make the backend."""
        client = connect(config["CACHE_REDIS_URL"])
        return cls(*args, **{**kwargs, "host": client, "key_prefix": KEY_PREFIX})


class SharedCache:
    """Values that are fresh for a while and, when their source fails, are used for a day more.

    A copy in the process answers when Redis does not. Keys are `<name>:<rest>`; hits and misses are counted
    by name. An older copy that stands in is marked (`webapp.stale`) with the name.
    """

    def __init__(self, backend: Cache, counters: CacheCounters, health: RedisHealth | None = None) -> None:
        self._backend = backend
        self._counters = counters
        self._health = health or RedisHealth()
        self._local: Recent[str, list[Any]] = Recent(MAX_LOCAL, KEEP_S)

    def fetch(self, key: str, fresh_s: float, load: Callable[[], T], keep_s: int = KEEP_S) -> T:
        """The value of `key`, at most `fresh_s` seconds old; older only while `load` meets an outage.

        `load` returns something that JSON holds. `keep_s`: how long a copy is kept at all; little where there
        may be many keys. Raises what `load` raises when there is no copy.
        """
        name = key.partition(":")[0]
        held = self._get(key)
        if held is not None and 0 <= time.time() - held[0] < fresh_s:
            self._counters.add(name, "hits")
            return held[1]  # type: ignore[no-any-return]  # what `load` made, read back
        self._counters.add(name, "misses")
        try:
            value = load()
        except OUTAGES as error:
            if held is None:
                raise
            self._counters.add(name, "stale")
            mark_stale(name)
            log.warning("shared_cache.stale_used", key=key, error=str(error))
            return held[1]  # type: ignore[no-any-return]
        self._set(key, [time.time(), value], keep_s)
        return value

    def stats(self) -> dict[str, CacheCount]:
        """Hits and misses of all front ends by name; see `cache_stats`."""
        return self._counters.totals()

    def _get(self, key: str) -> list[Any] | None:
        held = None
        try:
            with self._health.asking():
                held = self._backend.get(key)
        except Unavailable:
            pass  # known to be away: the first failures have been logged
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
        if isinstance(held, list) and len(held) == 2:
            self._local.put(key, held)  # what another front end made is there too when Redis is not
            return held
        return self._local.get(key)

    def _set(self, key: str, held: list[Any], keep_s: int) -> None:
        self._local.put(key, held)
        try:
            with self._health.asking():
                self._backend.set(key, held, timeout=keep_s)
        except Unavailable:
            pass
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
