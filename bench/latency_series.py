"""What bench/latency.py keeps of each way to ask, and the tables it prints of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from bench import report

STAGES = ("user", "recall", "rank", "item")
FLOORS = ("floor", "floor, kernels")


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


@dataclass(frozen=True)
class Saturated:
    """Whole answers per second while clients ask all the time, and milliseconds of processor time that each
    part takes for one."""

    per_s: float
    cpu_ms: Mapping[str, float]

    @classmethod
    def median(cls, rounds: Sequence[Saturated]) -> Saturated:
        """The medians of several rounds."""
        parts = {name: report.median(one.cpu_ms[name] for one in rounds) for name in rounds[0].cpu_ms}
        return cls(report.median(one.per_s for one in rounds), parts)


def stages(single: Mapping[str, Series]) -> dict[str, dict[str, float]]:
    """Median milliseconds by stage of each way that tells them; "own" is what no stage accounts for."""
    told = {}
    for name, series in single.items():
        if series.stages["total"]:
            parts = {stage: report.median(series.stages[stage]) for stage in STAGES}
            whole = report.percentiles(series.seconds)[0]
            told[name] = {**parts, "own": max(whole - sum(parts.values()), 0.0)}
    return told


def show(single: Mapping[str, Series], saturated: Mapping[str, Saturated]) -> None:
    """Print the tables; ratios to both floors where both were measured."""
    floors = [name for name in FLOORS if name in single]
    bases = [report.percentiles(single[name].seconds)[0] for name in floors]
    rows = []
    for name, series in single.items():
        p10, (p50, _, p99) = report.p10(series.seconds), report.percentiles(series.seconds)
        ratios = [f"{p50 / base:.2f}" for base in bases]
        rows.append((name, *(f"{x:.2f}" for x in (p10, p50, p99)), *ratios, str(series.degraded)))
    titles = [f"× {name}" for name in floors]
    report.table("One client, ms", ("way", "p10", "p50", "p99", *titles, "degraded"), rows)
    told = stages(single)
    report.table(
        "Where it goes, median ms",
        ("way", *STAGES, "own"),
        [(name, *(f"{parts[stage]:.2f}" for stage in (*STAGES, "own"))) for name, parts in told.items()],
    )
    report.table(
        "Saturated, answers per second (whole lists only)",
        ("way", "per s", *(f"of {name}" for name in floors), "CPU ms"),
        [
            (
                name,
                f"{one.per_s:.0f}",
                *(f"{one.per_s / saturated[base].per_s:.1%}" for base in floors),
                f"{sum(one.cpu_ms.values()):.2f}",
            )
            for name, one in saturated.items()
        ],
    )
    report.table(
        "Processor time of an answer by part, ms",
        ("way", "part", "CPU ms"),
        [(name, part, f"{ms:.2f}") for name, one in saturated.items() for part, ms in one.cpu_ms.items()],
    )
