"""Live figures of every process: what the services and front ends publish in Redis, read together."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, cast

import redis
import structlog

from services.common import keys

PATTERN = keys.stats("*", "*")
WINDOW_S = 60
MOST_KEYS = 500
SCAN_COUNT = 5000
RESCAN_EVERY_S = 15.0  # how late a new process is noticed
log = structlog.get_logger("webapp.console")


@dataclass(frozen=True)
class Figures:
    """One RPC or page of one service over the last minute. Of several processes: counts are added, and a
    percentile is the slowest process's, since percentiles cannot be added."""

    service: str
    method: str
    count: int
    errors: int
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """A second."""
        return self.count / WINDOW_S

    def plus(self, other: Figures) -> Figures:
        """The figures of both processes together; of percentiles the greater."""
        return replace(
            self,
            count=self.count + other.count,
            errors=self.errors + other.errors,
            p50_ms=max(self.p50_ms, other.p50_ms),
            p95_ms=max(self.p95_ms, other.p95_ms),
            p99_ms=max(self.p99_ms, other.p99_ms),
        )


@dataclass(frozen=True)
class Process:
    """A process that publishes figures."""

    service: str
    pid: int
    release: str
    version: str
    started_at: float


@dataclass(frozen=True)
class Live:
    """`problem`: why there is nothing, in one line."""

    processes: tuple[Process, ...] = ()
    figures: tuple[Figures, ...] = ()
    problem: str = ""

    def of(self, service: str) -> list[Process]:
        """The processes of a service."""
        return [one for one in self.processes if one.service == service]

    def total(self, service: str) -> Figures | None:
        """All of a service together; None when it answered nothing."""
        mine = [one for one in self.figures if one.service == service]
        return _merged(mine) if mine else None


class LiveFigures:
    """Reads what all processes publish."""

    def __init__(self, client: redis.Redis, clock: Callable[[], float] = time.monotonic) -> None:
        self._redis, self._clock = client, clock
        self._names: list[bytes] = []
        self._look_at = float("-inf")

    def read(self, own: Callable[[], Mapping[str, Any]]) -> Live:
        """What is published now; `own`: this process's figures, asked when no front end's are known."""
        problem = ""
        try:
            raw = self._read()
        except (redis.RedisError, OSError) as error:
            log.warning("console.no_live_figures", error=str(error))
            raw, problem = [], "redis"
        parsed = [one for one in map(_parsed, raw) if one]
        if not any(process.service == "web" for process, _ in parsed):
            parsed.append(_process(own()))
        by_name: dict[tuple[str, str], list[Figures]] = {}
        for _, figures in parsed:
            for one in figures:
                by_name.setdefault((one.service, one.method), []).append(one)
        return Live(
            processes=tuple(sorted((process for process, _ in parsed), key=lambda p: (p.service, p.pid))),
            figures=tuple(_merged(same) for _, same in sorted(by_name.items())),
            problem=problem,
        )

    def _read(self) -> list[bytes]:
        """Values of the published keys. Their names are looked for rarely: Redis goes through all it has."""
        if self._clock() >= self._look_at:
            found = self._redis.scan_iter(match=PATTERN, count=SCAN_COUNT)
            self._names = list(islice(found, MOST_KEYS))
            self._look_at = self._clock() + RESCAN_EVERY_S
        values = cast("list[bytes | None]", self._redis.mget(self._names)) if self._names else []
        return [value for value in values if value]


def _merged(figures: Iterable[Figures]) -> Figures:
    first, *others = figures
    for other in others:
        first = first.plus(other)
    return first


def _parsed(raw: bytes) -> tuple[Process, list[Figures]] | None:
    try:
        return _process(json.loads(raw))
    except (ValueError, TypeError, KeyError, AttributeError) as error:
        log.warning("console.bad_figures", error=str(error))
        return None


def _process(value: Mapping[str, Any]) -> tuple[Process, list[Figures]]:
    service = str(value["service"])
    process = Process(
        service,
        int(value["pid"]),
        str(value.get("release") or ""),
        str(value.get("version") or ""),
        float(value.get("started_at") or 0),
    )
    figures = [
        Figures(
            service,
            str(method),
            int(one["count"]),
            int(one.get("errors", 0)),
            *(float(one.get(f"p{q}_ms") or 0) for q in (50, 95, 99)),
        )
        for method, one in (value.get("rpcs") or {}).items()
        if int(one["count"]) > 0
    ]
    return process, figures
