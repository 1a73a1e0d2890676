"""Data that is the same for every shopper, kept in Redis by Flask-Caching so that all front ends share it.

**Nothing personal goes in here**: no page, no list made for a shopper, no session. The keys in use are the
rails that are the same for all, similar products, searches and the persona pages. See docs/adr/0070 and 0111.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

import redis
import structlog
from flask import Flask
from flask_caching import Cache
from flask_caching.backends.rediscache import RedisCache

from services.common.errors import DeadlineExceeded, ReleaseNotLoaded, Unavailable
from webapp.cache_counters import CacheCount, CacheCounters

KEY_PREFIX = "ecrs:web:"
KEEP_S = 86_400  # how long an old copy may stand in for a service that does not answer
MAX_LOCAL = 64  # keys of which this process keeps a copy of its own
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
        client = redis.Redis.from_url(
            config["CACHE_REDIS_URL"], socket_timeout=0.25, socket_connect_timeout=0.25
        )
        return cls(*args, **{**kwargs, "host": client, "key_prefix": KEY_PREFIX})


class SharedCache:
    """Values that are fresh for a while and, when their source fails, are used for a day more.

    A copy in the process answers when Redis does not. Keys are `<name>:<rest>`; hits and misses are counted
    by name.
    """

    def __init__(self, backend: Cache, counters: CacheCounters) -> None:
        self._backend = backend
        self._counters = counters
        self._local: OrderedDict[str, list[Any]] = OrderedDict()

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
            log.warning("shared_cache.stale_used", key=key, error=str(error))
            return held[1]  # type: ignore[no-any-return]
        self._set(key, [time.time(), value], keep_s)
        return value

    def stats(self) -> dict[str, CacheCount]:
        """Hits and misses of all front ends by name; see `cache_stats`."""
        return self._counters.totals()

    def _get(self, key: str) -> list[Any] | None:
        try:
            held = self._backend.get(key)
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
            held = None
        return held if isinstance(held, list) and len(held) == 2 else self._local.get(key)

    def _set(self, key: str, held: list[Any], keep_s: int) -> None:
        self._local[key] = held
        self._local.move_to_end(key)
        if len(self._local) > MAX_LOCAL:
            self._local.popitem(last=False)
        try:
            self._backend.set(key, held, timeout=keep_s)
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
