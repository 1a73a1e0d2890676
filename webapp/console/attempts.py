"""How often a password may be tried: counted in Redis for all front ends, in this process when it is away."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable
from typing import cast

import redis

WINDOW_S = 60
MOST_BY_ADDRESS = 5
MOST_IN_ALL = 30  # there is one password: guessing from many addresses must not help either
KEY_PREFIX = "ecrs:console:tries:"
MAX_HELD = 1000


class Attempts:
    """Counts tries by address and in all, in windows of a minute."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._clock = client, clock
        self._own: deque[tuple[float, str]] = deque(maxlen=MAX_HELD)

    def allow(self, address: str) -> bool:
        """Counts a try; whether it may be made. What is refused counts too: hammering does not help."""
        by_address, in_all = self._count(address)
        return by_address <= MOST_BY_ADDRESS and in_all <= MOST_IN_ALL

    def _count(self, address: str) -> tuple[int, int]:
        window = int(self._clock() // WINDOW_S)
        keys = [f"{KEY_PREFIX}{window}:{address}", f"{KEY_PREFIX}{window}"]
        try:
            with self._redis.pipeline(transaction=True) as pipe:
                for key in keys:
                    pipe.incr(key)
                    pipe.expire(key, 2 * WINDOW_S)
                answers = cast("list[int]", pipe.execute())
            return answers[0], answers[2]
        except (redis.RedisError, OSError):
            now = self._clock()
            self._own.append((now, address))
            recent = [one for at, one in self._own if now - at < WINDOW_S]
            return recent.count(address), len(recent)
