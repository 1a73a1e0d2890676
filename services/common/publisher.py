"""Publishing a process's live figures in Redis, for the console. Format: docs/architecture.md, section 4."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping

from services.common import keys
from services.common.follower import Follower
from services.common.redis import Redis, redis_errors

PUBLISH_S = 2.0
EXPIRE_S = 10


class Publisher:
    """Writes the figures every two seconds until it is closed; they expire by themselves.

    Args:
        service: name of the service.
        rpcs: the last minute, by RPC.
        release: name of the release in use; "" for none.
        version: of the program.
        redis: written to; not closed with it.
    """

    def __init__(
        self,
        service: str,
        rpcs: Callable[[], Mapping[str, Mapping[str, float]]],
        release: Callable[[], str],
        version: str,
        redis: Redis,
        every_s: float = PUBLISH_S,
    ) -> None:
        self._service, self._rpcs, self._release, self._version = service, rpcs, release, version
        self._redis, self._started = redis, time.time()
        self._follower = Follower("figures", "figures.not_published", self.publish, every_s, at_once=False)

    def open(self) -> Publisher:
        """Begin, in a thread of its own."""
        self._follower.open()
        return self

    def close(self) -> None:
        """End."""
        self._follower.close()

    def publish(self) -> None:
        """Write once. Raises Unavailable."""
        pid = os.getpid()
        figures = {
            "service": self._service,
            "pid": pid,
            "release": self._release(),
            "version": self._version,
            "started_at": round(self._started, 3),
            "rpcs": self._rpcs(),
        }
        with redis_errors():
            self._redis.set(keys.stats(self._service, pid), json.dumps(figures), ex=EXPIRE_S)
