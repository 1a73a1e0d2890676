"""What the benchmarks share: percentiles, tables and the line that says which machine this was."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
from rich.console import Console
from rich.table import Table


def machine() -> str:
    """One line about processor, cores and Python."""
    model = "unknown processor"
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8") as info:
            model = next(line.split(":", 1)[1].strip() for line in info if line.startswith("model name"))
    except (OSError, StopIteration):
        pass
    cores = len(os.sched_getaffinity(0))
    return f"{model}, {cores} cores, Python {platform.python_version()}, {platform.system()}"


def percentiles(seconds: Sequence[float]) -> tuple[float, float, float]:
    """p50, p95 and p99 in milliseconds."""
    p50, p95, p99 = np.percentile(np.asarray(seconds) * 1e3, [50, 95, 99])
    return float(p50), float(p95), float(p99)


def p10(seconds: Sequence[float]) -> float:
    """The 10th percentile in milliseconds: what it takes while nothing else runs."""
    return float(np.percentile(np.asarray(seconds) * 1e3, 10))


def median(values: Iterable[float]) -> float:
    """The median, 0 for nothing."""
    collected = list(values)
    return statistics.median(collected) if collected else 0.0


def table(title: str, columns: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
    """Print a table, the first column left, the others right."""
    out = Table(title=title, title_justify="left")
    for position, column in enumerate(columns):
        out.add_column(column, justify="left" if position == 0 else "right", no_wrap=True)
    for row in rows:
        out.add_row(*row)
    Console(width=140).print(out)
