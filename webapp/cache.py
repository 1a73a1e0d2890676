"""Data that is the same for every shopper, kept in Redis by Flask-Caching so that all front ends share it.

**Nothing personal goes in here**: no page, no list made for a shopper, no session. The keys in use are the
rails that are the same for all, similar products, variants, searches and the persona pages.
See docs/adr/0111.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

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


@dataclass(frozen=True)
class Copy(Generic[T]):
    """A value and when it was made, in seconds since 1970."""

    made_at: float
    value: T

    def is_fresh(self, fresh_s: float) -> bool:
        """Whether it is younger; one from the future, after the clock was set back, is not."""
        return 0 <= time.time() - self.made_at < fresh_s


class SharedCache:
    """Values that are fresh for a while and, when their source fails, are used for a day more.

    Each process keeps a copy of its own, as objects: while that is fresh Redis is not asked, and when Redis
    does not answer it stands in. Keys are `<name>:<rest>`; hits and misses are counted by name. An older copy
    that stands in is marked (`webapp.stale`) with the name.
    """

    def __init__(self, backend: Cache, counters: CacheCounters, health: RedisHealth | None = None) -> None:
        self._backend = backend
        self._counters = counters
        self._health = health or RedisHealth()
        self._local: Recent[str, Copy[Any]] = Recent(MAX_LOCAL, KEEP_S)

    def fetch(
        self,
        key: str,
        fresh_s: float,
        load: Callable[[], Any],
        decode: Callable[[Any], T],
        keep_s: int = KEEP_S,
    ) -> T:
        """The value of `key`, at most `fresh_s` seconds old; older only while `load` meets an outage.

        `load` returns something that JSON holds; `decode` makes the value of it, which many requests share
        and none may change. `keep_s`: how long a copy is kept at all; little where there may be many keys.
        Raises what `load` raises when there is no copy.
        """
        name = key.partition(":")[0]
        held: Copy[T] | None = self._local.get(key)
        if held is None or not held.is_fresh(fresh_s):
            held = self._from_redis(key, decode) or held
        if held is not None and held.is_fresh(fresh_s):
            self._counters.add(name, "hits")
            return held.value
        self._counters.add(name, "misses")
        try:
            loaded = load()
        except OUTAGES as error:
            if held is None:
                raise
            self._counters.add(name, "stale")
            mark_stale(name)
            log.warning("shared_cache.stale_used", key=key, error=str(error))
            return held.value
        return self._keep(key, loaded, decode, keep_s)

    def stats(self) -> dict[str, CacheCount]:
        """Hits and misses of all front ends by name; see `cache_stats`."""
        return self._counters.totals()

    def _from_redis(self, key: str, decode: Callable[[Any], T]) -> Copy[T] | None:
        """What any front end left in Redis; None when there is nothing or Redis does not answer."""
        held = None
        try:
            with self._health.asking():
                held = self._backend.get(key)
        except Unavailable:
            pass  # known to be away: the first failures have been logged
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
        if not isinstance(held, list) or len(held) != 2:
            return None
        copy = Copy(held[0], decode(held[1]))
        self._local.put(key, copy)
        return copy

    def _keep(self, key: str, loaded: Any, decode: Callable[[Any], T], keep_s: int) -> T:
        copy = Copy(time.time(), decode(loaded))
        self._local.put(key, copy)
        try:
            with self._health.asking():
                self._backend.set(key, [copy.made_at, loaded], timeout=keep_s)
        except Unavailable:
            pass
        except (redis.RedisError, OSError) as error:
            log.warning("shared_cache.unreachable", error=str(error))
        return copy.value
