"""Reading by generation in one round trip, and never from two generations at once.

A reader remembers the generations it saw last, asks for them again together with its keys, and asks anew in
the rare case that a load was switched in between. The old generation outlives the switch by a grace, so that
what was asked for with it is still whole.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from redis.exceptions import WatchError

from engine.errors import Unavailable
from services.common import keys
from services.common.redis import Redis, redis_errors

Pipeline: TypeAlias = Any  # redis-py types its pipelines' answers as Any too
Generations: TypeAlias = Mapping[str, str]

Ask: TypeAlias = Callable[[Pipeline, Callable[[str], str]], None]

LOADING = "loading"
"""Beside the parts: the generation that a load is writing at this moment."""

_ATTEMPTS = 5
_TOO_QUICK = "loads follow each other too quickly to work between them"


class GenerationReader:
    """Pipelines over `redis` that know the current generations. Thread-safe."""

    def __init__(self, redis: Redis) -> None:
        self.redis = redis
        self._known: Generations = {}

    def read(self, ask: Ask) -> list[Any]:
        """The answers to the commands that `ask(pipeline, generation_of)` adds, all of the same generations.

        `ask` only reads, and may run more than once; `generation_of(part)` is "0" before the first load.
        Raises Unavailable.
        """
        for _ in range(_ATTEMPTS):
            known = self._known
            with redis_errors(), self.redis.pipeline(transaction=False) as pipeline:
                pipeline.hgetall(keys.GENERATION)
                ask(pipeline, _generation_of(known))
                answers = pipeline.execute()
            current = _decoded(answers[0])
            if current == known:
                return list(answers[1:])
            self._known = current
        raise Unavailable(_TOO_QUICK)

    def erase(self, ask: Ask) -> list[Any]:
        """The answers to the commands that `ask` adds, run as one transaction in the current generations.

        `generation_of(LOADING)` is the generation that a load is writing, "0" while none is. If a load begins
        or is switched meanwhile, nothing of it happens and it is tried again. Raises Unavailable.
        """
        for _ in range(_ATTEMPTS):
            with redis_errors(), self.redis.pipeline(transaction=True) as pipeline:
                # Not the load's own hash, which each batch of rows changes.
                pipeline.watch(keys.GENERATION, keys.LAST_GENERATION)  # type: ignore[no-untyped-call]
                current = dict(_decoded(pipeline.hgetall(keys.GENERATION)))
                loading: Any = pipeline.hget(keys.LOAD, "generation")
                current[LOADING] = loading.decode() if loading else "0"
                pipeline.multi()
                ask(pipeline, _generation_of(current))
                try:
                    return list(pipeline.execute())
                except WatchError:
                    continue
        raise Unavailable(_TOO_QUICK)


def _generation_of(generations: Generations) -> Callable[[str], str]:
    return lambda part: generations.get(part, "0")


def _decoded(answer: Any) -> Generations:
    return {part.decode(): value.decode() for part, value in answer.items()}
