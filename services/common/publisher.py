"""Publishing a process's live figures in Redis, for the console. Format: docs/architecture.md, section 4."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from threading import Event, Thread

import structlog

from services.common import keys
from services.common.errors import Unavailable
from services.common.redis import Redis, redis_errors

PUBLISH_S = 2.0
EXPIRE_S = 10

log = structlog.get_logger(__name__)


class Publisher:
    """Writes the figures every two seconds until it is closed; they expire by themselves.

    Args:
        service: name of the service.
        rpcs: the last minute, by RPC.
        release: name of the release in use; "" for none.
        version: of the program.
        redis: of its own; closed with it.
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
        self._redis, self._every_s = redis, every_s
        self._started = time.time()
        self._stop = Event()
        self._thread: Thread | None = None
        self._failing = False

    def open(self) -> Publisher:
        """Begin, in a thread of its own."""
        self._thread = Thread(target=self._run, name="figures", daemon=True)
        self._thread.start()
        return self

    def close(self) -> None:
        """End."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(timeout=2.0)
        self._redis.close()

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

    def _run(self) -> None:
        while not self._stop.wait(self._every_s):
            try:
                self.publish()
                self._failing = False
            except Unavailable as error:
                if not self._failing:
                    log.info("figures.not_published", error=str(error))
                self._failing = True
