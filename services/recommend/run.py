"""The running of one request: what time is left for each stage, what took how long, what failed."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from engine.errors import EcrsError
from engine.vocabulary import Degradation

T = TypeVar("T")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much of the time that remains each stage may take. If all time out, a list still leaves in time:
    of 300 ms user may take 75, recall 135, rank 58 and item 22."""

    user: float = 0.25
    recall: float = 0.60
    rank: float = 0.65
    item: float = 0.70


class Run:
    """One request on its way through the stages."""

    def __init__(self, timeout_s: float, clock: Callable[[], float] = time.perf_counter) -> None:
        self._clock = clock
        self._start = clock()
        self._end = self._start + timeout_s
        self.degraded: set[Degradation] = set()
        self.timings_ms: dict[str, float] = {}

    def ask(
        self,
        stage: str,
        share: float,
        without: Degradation,
        call: Callable[[float], T],
        *passing: type[EcrsError],
    ) -> T | None:
        """Call a dependency with its share of what remains; None if it fails, which is then noted.

        Args:
            without: the flag to set on failure.
            call: gets its timeout in seconds.
            passing: errors that are answers, raised as they are.
        """
        started = self._clock()
        try:
            return call(max((self._end - started) * share, 0.001))
        except passing:
            raise
        except Exception as error:  # whatever a dependency dies of, the shopper gets a list
            foreseen = isinstance(error, EcrsError)
            log.warning("stage.failed", stage=stage, error=str(error), exc_info=not foreseen)
            self.degraded.add(without)
            return None
        finally:
            took = (self._clock() - started) * 1e3
            self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + took, 3)

    def finish(self) -> dict[str, float]:
        """Timings with the total, in milliseconds."""
        return {**self.timings_ms, "total": round((self._clock() - self._start) * 1e3, 3)}
