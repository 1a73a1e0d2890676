"""Whether Redis answers: a page asks it several times, and must not wait for each of them while it hangs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import redis

from engine.errors import Unavailable
from services.common.rpc.breaker import Breaker

FAILURES = 2
PROBE_S = 1.0


class RedisHealth:
    """One per application. After two failures in a row Redis is asked once a second until it answers."""

    def __init__(self) -> None:
        self._breaker = Breaker(failures=FAILURES, probe_s=PROBE_S)

    @contextmanager
    def asking(self) -> Iterator[None]:
        """Around one use of Redis. Raises Unavailable at once while it is known not to answer."""
        attempt = self._breaker.attempt()
        if attempt is None:
            raise Unavailable("Redis does not answer; asking it again within a second")
        with attempt:  # left by anything else, as when its greenlet is given up, it says nothing about Redis
            try:
                yield
            except (redis.RedisError, OSError, Unavailable):
                attempt.failure()
                raise
            attempt.success()
