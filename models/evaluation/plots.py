"""Pictures for docs/quality.md: each method's NDCG@20 with its interval, and the ladder of ablations.

    python -m models.evaluate plots --reports var/quality --ladder docs/quality-ladder.csv --out docs/img

Reads every ``report.json`` of ``retail`` on the test below the folder; of several of one method the one of
most seeds counts, then the newest. Needs matplotlib, of the dependency group ``bench``.
"""

from __future__ import annotations

import argparse
import csv
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console

from models.evaluation.errors import ProtocolError

_MEASURE = "ndcg_at_20"
_OURS, _THEIRS, _INK, _GRID = "#0b6e4f", "#8fa3b5", "#1f2933", "#d9e0e6"
_STYLE: dict[Any, Any] = {
    "svg.hashsalt": "ecrs",  # the same bytes for the same figures
    "svg.fonttype": "none",  # letters as text: a fifth of the size
    "font.sans-serif": ["DejaVu Sans", "Verdana", "Arial", "sans-serif"],
    "font.size": 9,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color"), _INK),
}
_PANELS = (("all", "all purchases"), ("novel", "novel: never bought before"))
_ROW, _HEAD = 0.3, 1.15  # inches
_LADDER = ("dataset", "step", "ours", "ndcg_all", "ndcg_novel")


@dataclass(frozen=True)
class Bar:
    """One method or step; ``values`` by variant: mean, low, high."""

    label: str
    ours: bool
    values: dict[str, tuple[float, float, float]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """The options of ``plots``."""
    parser.add_argument("--reports", type=Path, required=True, help="a folder of output folders")
    parser.add_argument("--ladder", type=Path, help="a CSV of " + ",".join(_LADDER) + ": yes for ours")
    parser.add_argument("--out", type=Path, default=Path("docs/img"), help="where the SVGs go")


def run(options: argparse.Namespace, console: Console) -> int:
    """Draw; raises ProtocolError if there is nothing to draw, ImportError without matplotlib."""
    pictures = {
        f"quality-{reports[0]['dataset']}": (bars_of(reports), *_titles(reports))
        for reports in newest(options.reports)
    }
    if options.ladder is not None:
        for dataset, steps in ladder(options.ladder).items():
            name = dataset.lower().replace(" ", "").replace("-", "")
            pictures[f"quality-ladder-{name}"] = (steps, f"{dataset}: the ladder, on validation", "")
    if not pictures:
        raise ProtocolError(f"{options.reports}: has no report.json of retail on the test: run it with --out")
    options.out.mkdir(parents=True, exist_ok=True)
    for name, (bars, title, notice) in pictures.items():
        path = options.out / f"{name}.svg"
        draw(bars, path, title, notice)
        console.print(f"{path}: {len(bars)} lines", markup=False, highlight=False, soft_wrap=True)
    return 0


def newest(folder: Path) -> list[list[dict[str, Any]]]:
    """The reports to draw, one list for each dataset."""
    files = sorted(folder.rglob("report.json"), key=lambda path: path.stat().st_mtime)
    found: dict[str, dict[str, dict[str, Any]]] = {}
    for path in files:
        try:
            report = json.loads(path.read_text("utf-8"))
        except ValueError as error:
            raise ProtocolError(f"{path}: not readable: {error}: run it again") from error
        if report.get("protocol") != "retail" or report.get("on") != "test":
            continue
        methods = found.setdefault(report["dataset"], {})
        there = methods.get(report["method"])
        if there is None or _seeds(report) >= _seeds(there):
            methods[report["method"]] = report
    return [list(methods.values()) for methods in found.values()]


def bars_of(reports: list[dict[str, Any]]) -> list[Bar]:
    """A bar a report, the best on all purchases first."""
    bars = []
    for report in reports:
        values = {}
        for variant, metrics in report["metrics"].items():
            one = metrics[_MEASURE]
            values[variant] = (one["mean"], one["low"], one["high"])
        label = report["method"] + (f", {_seeds(report)} seeds" if _seeds(report) > 1 else "")
        bars.append(Bar(label, report["method"].startswith("pipeline"), values))
    return sorted(bars, key=lambda bar: bar.values["all"][0], reverse=True)


def ladder(path: Path) -> dict[str, list[Bar]]:
    """The steps of each dataset, in the file's order. Raises ProtocolError."""
    steps: dict[str, list[Bar]] = {}
    with path.open(encoding="utf-8", newline="") as file:
        for number, row in enumerate(csv.DictReader(file), 2):
            try:
                dataset, step = row["dataset"], row["step"]
                both = {name: float(row[f"ndcg_{name}"]) for name, _ in _PANELS}
            except (KeyError, TypeError, ValueError) as error:
                raise ProtocolError(
                    f"{path}:{number}: must hold {', '.join(_LADDER)}, with numbers: {error}"
                ) from error
            values = {name: (value, value, value) for name, value in both.items()}
            steps.setdefault(dataset, []).append(Bar(step, row["ours"] == "yes", values))
    return steps


def draw(bars: list[Bar], path: Path, title: str, notice: str = "") -> None:
    """Horizontal bars, a panel for each variant, as SVG on white."""
    import matplotlib as mpl  # noqa: PLC0415 - of the group bench

    mpl.use("Agg")
    from matplotlib import pyplot  # noqa: PLC0415

    with mpl.rc_context(_STYLE):
        height = _HEAD + _ROW * len(bars)
        figure, panels = pyplot.subplots(1, 2, figsize=(9.5, height), sharey=True, layout="constrained")
        for axes, (variant, name) in zip(panels, _PANELS, strict=True):
            _panel(axes, bars, variant)
            axes.set_title(f"NDCG@20, {name}", loc="left", fontsize=9)
        panels[0].set_yticks(range(len(bars)), [bar.label for bar in bars])
        panels[0].invert_yaxis()
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
        if notice:
            figure.supxlabel(notice, x=0.01, ha="left", fontsize=8)
        figure.savefig(path, metadata={"Date": None}, facecolor="white")
        pyplot.close(figure)


def _panel(axes: Any, bars: list[Bar], variant: str) -> None:
    most = max(bar.values[variant][2] for bar in bars)
    for place, bar in enumerate(bars):
        mean, low, high = bar.values[variant]
        axes.barh(place, mean, height=0.66, color=_OURS if bar.ours else _THEIRS, zorder=2)
        if high > low:
            axes.errorbar(
                *(mean, place), xerr=[[mean - low], [high - mean]], color=_INK, lw=1, capsize=2, zorder=3
            )
        text = f"{mean:.4f}".lstrip("0")
        axes.text(high + 0.015 * most, place, text, va="center", fontsize=8, zorder=4)
    axes.set_xlim(0, most * 1.16)
    axes.grid(axis="x", color=_GRID, lw=0.7, zorder=0)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _seeds(report: dict[str, Any]) -> int:
    return len(report.get("seeds", [report.get("seed")]))


def _titles(reports: list[dict[str, Any]]) -> tuple[str, str]:
    first = reports[0]
    users = first["metrics"]["all"]["users"]
    title = f"retail, {first['dataset']}: {first['items']:,} items, {users:,} users, 95 % intervals"
    return title, first.get("notice", "")
