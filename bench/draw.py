"""Pictures of what the benchmarks measured, for docs/."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import matplotlib as mpl
import numpy as np

mpl.use("Agg")
from matplotlib import pyplot as plt

COLOURS = ("#3b6ea5", "#7fa650", "#d08a2e", "#8d6cab", "#b9b9b9")


def draw_latency(
    path: Path, seconds: Mapping[str, Sequence[float]], stages: Mapping[str, Mapping[str, float]]
) -> None:
    """p50 of each way, with p95 as a whisker, and the stages of those that tell them, stacked; one SVG."""
    names = list(seconds)[::-1]
    figure, axes = plt.subplots(figsize=(8, 0.55 * len(names) + 1.2))
    for place, name in enumerate(names):
        p50, p95 = np.percentile(np.asarray(seconds[name]) * 1e3, [50, 95])
        left = 0.0
        parts = stages.get(name, {"own": float(p50)})
        for (stage, value), colour in zip(parts.items(), COLOURS[-len(parts) :], strict=True):
            axes.barh(place, value, left=left, color=colour, label=stage)
            left += value
        axes.plot([p50, p95], [place, place], color="#444444", linewidth=1)
        axes.annotate(
            f"{p50:.1f}", (p95, place), xytext=(4, 0), textcoords="offset points", va="center", fontsize=8
        )
    handles, labels = axes.get_legend_handles_labels()
    unique = dict(zip(labels, handles, strict=True))
    axes.legend(unique.values(), unique.keys(), fontsize=8, frameon=False, loc="lower right")
    axes.set_yticks(range(len(names)), names)
    axes.set_xlabel("milliseconds; bar: p50 by stage, whisker: p95")
    axes.spines[["top", "right"]].set_visible(False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.tight_layout()
    figure.savefig(path, metadata={"Date": None})
    plt.close(figure)
