"""What bench/latency.py keeps of each way to ask, and the tables it prints of them."""

from __future__ import annotations

from dataclasses import dataclass, field

from bench import report

STAGES = ("user", "recall", "rank", "item")


@dataclass
class Series:
    """Seconds of each answer by one way, and milliseconds by stage where the way tells them."""

    seconds: list[float] = field(default_factory=list)
    stages: dict[str, list[float]] = field(
        default_factory=lambda: {stage: [] for stage in (*STAGES, "total")}
    )
    degraded: int = 0

    def add(self, seconds: float, told: dict[str, float] | None) -> None:
        """One more answer, and what its way told of it."""
        self.seconds.append(seconds)
        if told:
            self.degraded += int(told.get("degraded", 0))
            for stage in (*STAGES, "total"):
                self.stages[stage].append(told.get(stage, 0.0))


def stages(single: dict[str, Series]) -> dict[str, dict[str, float]]:
    """Median milliseconds by stage of each way that tells them; "own" is what no stage accounts for."""
    told = {}
    for name, series in single.items():
        if series.stages["total"]:
            parts = {stage: report.median(series.stages[stage]) for stage in STAGES}
            whole = report.percentiles(series.seconds)[0]
            told[name] = {**parts, "own": max(whole - sum(parts.values()), 0.0)}
    return told


def show(single: dict[str, Series], saturated: dict[str, float]) -> None:
    """Print the tables."""
    base = report.percentiles(single["floor"].seconds)[0]
    rows = []
    for name, series in single.items():
        p50, p95, p99 = report.percentiles(series.seconds)
        rows.append((name, *(f"{x:.2f}" for x in (p50, p95, p99, p50 / base)), str(series.degraded)))
    report.table("One client, ms", ("way", "p50", "p95", "p99", "× floor", "degraded"), rows)
    told = stages(single)
    report.table(
        "Where it goes, median ms",
        ("way", *STAGES, "own"),
        [(name, *(f"{parts[stage]:.2f}" for stage in (*STAGES, "own"))) for name, parts in told.items()],
    )
    report.table(
        "Saturated, answers per second (whole lists only)",
        ("way", "per s", "of the floor"),
        [(name, f"{rate:.0f}", f"{rate / saturated['floor']:.1%}") for name, rate in saturated.items()],
    )
