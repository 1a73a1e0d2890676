"""The running of one request: what time is left for each stage, what took how long, what failed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from engine.errors import EcrsError
from engine.vocabulary import Degradation

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Budgets:
    """How much of the time that remains each stage may take. If all time out, a list still leaves in time:
    of 300 ms user may take 75, recall 135, rank 58 and item 22."""

    user: float = 0.25
    recall: float = 0.60
    rank: float = 0.65
    item: float = 0.70


class Run:
    """One request on its way: the time that is left, what took how long, what failed.

    Args:
        clock: seconds, monotonic.
        failed: told of a stage that failed, with its name and why.
    """

    def __init__(
        self, timeout_s: float, clock: Callable[[], float], failed: Callable[[str, Exception], None]
    ) -> None:
        self._clock, self._failed = clock, failed
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
        """Call a stage with its share of the time that remains; None if it fails, which is then noted.

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
        except Exception as error:  # whatever a stage dies of, the shopper gets a list
            self._failed(stage, error)
            self.degraded.add(without)
            return None
        finally:
            took = (self._clock() - started) * 1e3
            self.timings_ms[stage] = round(self.timings_ms.get(stage, 0.0) + took, 3)

    def finish(self) -> dict[str, float]:
        """Timings with the total, in milliseconds."""
        return {**self.timings_ms, "total": round((self._clock() - self._start) * 1e3, 3)}
