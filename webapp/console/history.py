"""The last minutes of live figures, for sparklines: kept in Redis, so that all front ends draw the same."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from typing import cast

import redis
import structlog

KEY, LOCK = "ecrs:console:history", "ecrs:console:history:taken"
EVERY_S = 4  # nobody looks: nothing is kept; many look: one sample all the same
SAMPLES = 90
KEEP_S = 900
Sample = dict[str, float]
log = structlog.get_logger("webapp.console")


class History:
    """Samples of figures by name."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.time) -> None:
        self._redis, self._clock = client, clock

    def add(self, figures: Mapping[str, float]) -> list[Sample]:
        """Keep these as a sample unless one is fresh; returns those of the last 15 minutes, oldest first.

        Empty when Redis does not answer: the page goes without its curves.
        """
        try:
            if self._redis.set(LOCK, 1, nx=True, px=EVERY_S * 1000 - 500):
                text = json.dumps({"at": round(self._clock(), 1), **figures})
                with self._redis.pipeline(transaction=True) as pipe:
                    pipe.lpush(KEY, text)
                    pipe.ltrim(KEY, 0, SAMPLES - 1)
                    pipe.expire(KEY, KEEP_S)
                    pipe.execute()
            raw = cast("list[bytes]", self._redis.lrange(KEY, 0, SAMPLES - 1))
        except (redis.RedisError, OSError) as error:
            log.warning("console.no_history", error=str(error))
            return []
        oldest = self._clock() - KEEP_S
        samples = [sample for one in reversed(raw) if (sample := _sample(one))]
        return [sample for sample in samples if sample["at"] >= oldest]


def figures_over_time(samples: list[Sample], name: str) -> list[float | None]:
    """One figure in each sample; None where a sample does not have it."""
    return [sample.get(name) for sample in samples]


def _sample(raw: bytes) -> Sample | None:
    try:
        value = json.loads(raw)
        return {str(name): float(figure) for name, figure in value.items()} if "at" in value else None
    except (ValueError, TypeError, AttributeError):
        return None
