"""Live figures of every process: what the services and front ends publish in Redis, read together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

import redis
import structlog

PATTERN = "ecrs:stats:*"
WINDOW_S = 60
MOST_KEYS = 500
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

    def and_also(self, other: Figures) -> Figures:
        """The same of one process more."""
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


def read_live(client: redis.Redis, own: Mapping[str, Any]) -> Live:
    """What is published now; `own`: this process's figures, for when Redis is away."""
    problem = ""
    try:
        raw = _read(client)
    except (redis.RedisError, OSError) as error:
        log.warning("console.no_live_figures", error=str(error))
        raw, problem = [], "redis"
    parsed = [one for one in map(_parsed, raw) if one]
    if not any(process.service == "web" for process, _ in parsed):
        parsed.append(_process(own))
    by_name: dict[tuple[str, str], list[Figures]] = {}
    for _, figures in parsed:
        for one in figures:
            by_name.setdefault((one.service, one.method), []).append(one)
    return Live(
        processes=tuple(sorted((process for process, _ in parsed), key=lambda p: (p.service, p.pid))),
        figures=tuple(_merged(same) for _, same in sorted(by_name.items())),
        problem=problem,
    )


def _read(client: redis.Redis) -> list[bytes]:
    names = []
    for name in client.scan_iter(match=PATTERN, count=5000):
        names.append(name)
        if len(names) == MOST_KEYS:
            break
    values = cast("list[bytes | None]", client.mget(names)) if names else []
    return [value for value in values if value]


def _merged(figures: Iterable[Figures]) -> Figures:
    first, *others = figures
    for other in others:
        first = first.and_also(other)
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
