"""What a run of ``retail`` leaves behind: files, and lines for the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.evaluate.protocols import Outcome, write_lists
from models.evaluate.retail import RetailSplit

_MEASURES = ("recall_at_20", "ndcg_at_20", "hit_rate_at_20", "mrr_at_20")
_IN_SEGMENTS = ("recall_at_20", "ndcg_at_20")
_OF_LISTS = ("coverage_at_20", "novelty_at_20")
_RANK = ("recall", "auc", "gauc", "log_loss", "ece")


def write(outcome: Outcome, split: RetailSplit, folder: Path, about: dict[str, Any]) -> None:
    """The lists, each user's measures and ``report.json``: ``about`` and all figures."""
    write_lists(outcome, split, folder)
    report = {
        **about,
        "metrics": outcome.metrics,
        "segments": outcome.segments,
        "new_items": outcome.new_items,
        **({"rank": outcome.rank} if outcome.rank else {}),
        **({"release": outcome.release.name} if outcome.release else {}),
        "seconds": outcome.seconds,
        "memory_mib": round(outcome.memory_mib),
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def text(outcome: Outcome, about: dict[str, Any]) -> str:
    """The result as plain lines, for terminals and notes alike."""
    seeds = ", ".join(str(seed) for seed in about["seeds"])
    named = f"seeds {seeds}" if len(about["seeds"]) > 1 else f"seed {seeds}"
    told = (about["protocol"], about["dataset"], about["method"], about["on"], named)
    lines = [" · ".join(told) + f" · {about['items']:,} items"]
    for variant, metrics in outcome.metrics.items():
        lines.append(_line(variant, metrics, _MEASURES))
    for variant, segments in outcome.segments.items():
        lines.append(f"segments, {variant}")
        lines += [_line(f"  {name}", metrics, _IN_SEGMENTS) for name, metrics in segments.items()]
    for variant, new in outcome.new_items.items():
        lines.append(
            f"new items, {variant}: {new['items']} of the catalogue first bought in the last 28 days of "
            f"training; {new['of_shown']:.2%} of places, {new['of_hits']:.2%} of hits, "
            f"{new['of_truth']:.2%} of truth, recall {new['recall']:.4f}"
        )
    for variant, rank in outcome.rank.items():
        cells = [_cell(name, rank[name]) for name in _RANK if name in rank]
        lines.append(f"candidates, {variant}: {rank['candidates']:,}, " + ", ".join(cells))
    spent = ", ".join(f"{name} {seconds:.0f} s" for name, seconds in outcome.seconds.items())
    lines.append(f"{spent}; peak memory {outcome.memory_mib:,.0f} MiB")
    return "\n".join([*lines, about["notice"]] if "notice" in about else lines)


def _line(name: str, metrics: dict[str, Any], measures: tuple[str, ...]) -> str:
    cells = []
    for measure in measures:
        one = metrics[measure]
        cell = f"{measure} {one['mean']:.4f} [{one['low']:.4f}, {one['high']:.4f}]"
        cells.append(cell + (f" ±{one['spread']:.4f}" if "spread" in one else ""))
    cells += [f"{measure} {metrics[measure]:.3f}" for measure in _OF_LISTS]
    return f"{name:<16}{metrics['users']:>7,} users  " + "  ".join(cells)


def _cell(name: str, found: Any) -> str:
    if isinstance(found, dict):
        return f"{name} {found['value']:.4f} [{found['low']:.4f}, {found['high']:.4f}]"
    return f"{name} {found:.4f}"
