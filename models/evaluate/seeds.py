"""Several seeds as one outcome: the mean, and how far the seeds lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from models.evaluate.protocols import Outcome, truths
from models.evaluate.ranking import DoubleArray, summary
from models.evaluate.retail import RetailSplit
from models.evaluate.segments import segments_of


def combine(outcomes: Sequence[Outcome], split: RetailSplit, seed: int = 7) -> Outcome:
    """Means over runs that differ in their seed only; the lists are the first one's.

    A user's measures are averaged first, so that intervals are those of the mean; ``spread`` is the standard
    deviation of the seeds' means (n - 1), ``by_seed`` the means themselves.
    """
    first = outcomes[0]
    whole = Outcome(lists=first.lists, release=first.release)
    segments = {segment.name: segment for segment in segments_of(split)}
    for variant, (users, _) in truths(split).items():
        values = {
            name: np.mean([outcome.users[variant][name] for outcome in outcomes], axis=0)
            for name in first.users[variant]
        }
        whole.users[variant] = values
        whole.metrics[variant] = _joined([one.metrics[variant] for one in outcomes], values, seed)
        whole.segments[variant] = {
            name: _joined([one.segments[variant][name] for one in outcomes], _of(values, chosen), seed)
            for name in first.segments[variant]
            for chosen in (segments[name].members[users],)
        }
        whole.new_items[variant] = _means([one.new_items[variant] for one in outcomes])
        if first.rank:
            whole.rank[variant] = _means([one.rank[variant] for one in outcomes])
    whole.seconds = _means([one.seconds for one in outcomes])
    whole.memory_mib = max(one.memory_mib for one in outcomes)
    return whole


def _joined(found: Sequence[dict[str, Any]], values: dict[str, DoubleArray], seed: int) -> dict[str, Any]:
    joined = _means([{k: v for k, v in one.items() if k not in values} for one in found])
    for name, interval in summary(values, seed).items():
        means = [one[name]["mean"] for one in found]
        spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
        joined[name] = {**interval, "spread": spread, "by_seed": means}
    return joined


def _means(found: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Key by key: the mean of numbers, also inside; the first of anything else and of counts."""
    joined: dict[str, Any] = {}
    for key, value in found[0].items():
        if isinstance(value, dict):
            joined[key] = _means([one[key] for one in found])
        elif isinstance(value, list):
            joined[key] = [_means(lines) for lines in zip(*(one[key] for one in found), strict=True)]
        elif isinstance(value, float):
            joined[key] = float(np.mean([one[key] for one in found]))
        else:
            joined[key] = value
    return joined


def _of(values: dict[str, DoubleArray], chosen: Any) -> dict[str, DoubleArray]:
    return {name: column[chosen] for name, column in values.items()}
