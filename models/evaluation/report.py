"""What a run of ``retail`` leaves behind: files, and lines for the terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from models.evaluation.methods.baselines.tuning import Chosen
from models.evaluation.protocols import Outcome, write_lists
from models.evaluation.retail import RetailSplit

_MEASURES = ("recall_at_20", "recall_of_truth_at_20", "ndcg_at_20", "hit_rate_at_20", "mrr_at_20")
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
        **(settings_of(outcome.chosen) if outcome.chosen else {}),
        "seconds": outcome.seconds,
        "memory_mib": round(outcome.memory_mib),
    }
    (folder / "report.json").write_text(json.dumps(report, indent=1) + "\n", "utf-8")


def settings_of(chosen: Chosen) -> dict[str, Any]:
    """For a report: the settings that validation chose, and every one that was tried with its value there."""
    tried = [{**settings, "validation": round(value, 5)} for settings, value in chosen.tried]
    return {"settings": chosen.settings, "tried": tried}


def text(outcome: Outcome, about: dict[str, Any]) -> str:
    """The result as plain lines, for terminals and notes alike."""
    seeds = ", ".join(str(seed) for seed in about["seeds"])
    named = f"seeds {seeds}" if len(about["seeds"]) > 1 else f"seed {seeds}"
    told = (about["protocol"], about["dataset"], about["method"], about["on"], named)
    lines = [" · ".join(told), _asked(about)]
    if outcome.chosen:
        chosen = ", ".join(f"{key} {value}" for key, value in outcome.chosen.settings.items())
        lines.append(f"settings chosen before the test, of {len(outcome.chosen.tried)}: {chosen}")
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


def _asked(about: dict[str, Any]) -> str:
    """Which data, which window, which items, whom."""
    if "window" in about:
        window = about["window"]
        days = "day" if window["days"] == 1 else "days"
        what = f"{window['from']} to {window['to']} ({window['days']} {days})"
    else:
        what = f"{about['test_pairs']:,} pairs of {about['test']} ({about['unknown_pairs']:,} more unknown)"
    buyers = "buyer" if about["min_buyers"] == 1 else "buyers"
    return (
        f"{about['title']}: {about['rows']:,} events; predicted: {what}; {about['items']:,} items with at "
        f"least {about['min_buyers']} {buyers} in training; {about['users']:,} users"
    )


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
