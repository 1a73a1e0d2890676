"""Counts and latencies of the calls that a process served: in all, and over the last minute."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import grpc
from prometheus_client import CollectorRegistry, Counter, Histogram

WINDOW_S = 60.0
_RATIO = 1.25  # of neighbouring bounds: a percentile is off by at most a quarter, by an eighth on average
_BOUNDS_S = tuple(1e-4 * _RATIO**step for step in range(53))  # 0.1 ms to 11 s
_OURS = {
    grpc.StatusCode.INTERNAL.name,
    grpc.StatusCode.UNKNOWN.name,
    grpc.StatusCode.UNAVAILABLE.name,
    grpc.StatusCode.DEADLINE_EXCEEDED.name,
}
"""Status codes that count as errors: what the caller did wrong is none of ours."""


@dataclass(frozen=True, slots=True)
class _Total:
    """One RPC since the start: `buckets` counts per interval of latency, `errors` calls that failed."""

    buckets: tuple[float, ...]
    errors: float


class CallStats:
    """What the interceptor counts, in Prometheus metrics of its own registry. Thread-safe.

    Args:
        clock: monotonic seconds.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.registry = CollectorRegistry()
        self._took = Histogram(
            "ecrs_rpc_seconds", "Time to serve a call.", ["method"], buckets=_BOUNDS_S, registry=self.registry
        )
        self._calls = Counter(
            "ecrs_rpc_calls", "Calls served, by status.", ["method", "code"], registry=self.registry
        )
        # Found once a method and status: a look-up among labels costs as much as counting
        self._series: dict[tuple[str, str], tuple[Histogram, Counter]] = {}
        self._clock = clock
        # Totals by RPC at times past, oldest first: the last minute is now less the newest that is older
        self._past: deque[tuple[float, Mapping[str, _Total]]] = deque([(clock(), {})])

    def observe(self, method: str, code: str, seconds: float) -> None:
        """A call of /package.Service/Method ended with a status."""
        series = self._series.get((method, code))
        if series is None:
            name = method.rpartition("/")[2]
            series = self._took.labels(name), self._calls.labels(name, code)
            self._series[method, code] = series
        took, calls = series
        took.observe(seconds)
        calls.inc()

    def last_minute(self) -> dict[str, dict[str, float]]:
        """By RPC: `count`, `errors`, `p50_ms`, `p95_ms`, `p99_ms`; RPCs without a call are left out.

        The window is exact to the time between two calls of this, which one thread makes.
        """
        now, totals = self._clock(), self._totals()
        self._past.append((now, totals))
        while len(self._past) > 1 and self._past[1][0] <= now - WINDOW_S:
            self._past.popleft()
        before = self._past[0][1]
        found: dict[str, dict[str, float]] = {}
        for name, total in totals.items():
            old = before.get(name, _Total((0.0,) * len(total.buckets), 0.0))
            counts = [new - then for new, then in zip(total.buckets, old.buckets, strict=True)]
            if count := int(sum(counts)):
                found[name] = {
                    "count": count,
                    "errors": int(total.errors - old.errors),
                    **{f"p{share}_ms": _percentile_ms(counts, share / 100) for share in (50, 95, 99)},
                }
        return found

    def _totals(self) -> dict[str, _Total]:
        errors: dict[str, float] = {}
        for metric in self._calls.collect():
            for sample in metric.samples:
                if sample.name.endswith("_total") and sample.labels["code"] in _OURS:
                    name = sample.labels["method"]
                    errors[name] = errors.get(name, 0.0) + sample.value
        cumulative: dict[str, list[float]] = {}
        for metric in self._took.collect():
            for sample in metric.samples:
                if sample.name.endswith("_bucket"):
                    cumulative.setdefault(sample.labels["method"], []).append(sample.value)
        return {
            name: _Total(
                tuple(value - before for value, before in zip(values, [0.0, *values], strict=False)),
                errors.get(name, 0.0),
            )
            for name, values in cumulative.items()
        }


def _percentile_ms(counts: list[float], share: float) -> float:
    """The latency that `share` of the calls stayed below, read off the intervals they fell into."""
    wanted = share * sum(counts)
    below = 0.0
    for at, count in enumerate(counts[:-1]):
        if count and below + count >= wanted:
            low = _BOUNDS_S[at - 1] if at else 0.0
            return round((low + (_BOUNDS_S[at] - low) * (wanted - below) / count) * 1e3, 3)
        below += count
    return round(_BOUNDS_S[-1] * 1e3, 3)
