"""Several seeds as one outcome: the mean, and how far the seeds lie apart."""

from __future__ import annotations

import argparse
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from models.evaluation.protocols import Outcome, truths
from models.evaluation.ranking import DoubleArray, summary
from models.evaluation.retail import RetailSplit
from models.evaluation.segments import segments_of


def seeds_of(text: str) -> list[int]:
    """ "7,8,9" as numbers. Raises ArgumentTypeError."""
    try:
        found = [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} must be numbers with commas between, as 7,8,9") from None
    if len(set(found)) < len(found):
        raise argparse.ArgumentTypeError(f"{text!r} names a seed twice")
    return found


def add_seeds(parser: argparse.ArgumentParser) -> None:
    """The option ``--seeds``: a list of numbers, or None."""
    parser.add_argument(
        "--seeds",
        type=seeds_of,
        help="several, as 7,8,9, in place of --seed: a run for each, and their mean",
    )


def combine(outcomes: Sequence[Outcome], split: RetailSplit, seed: int = 7) -> Outcome:
    """Means over runs that differ in their seed only; the lists are the first one's.

    A user's measures are averaged first, so that intervals are those of the mean; ``spread`` is the standard
    deviation of the seeds' means (n - 1), ``by_seed`` the means themselves.
    """
    first = outcomes[0]
    whole = Outcome(lists=first.lists, release=first.release, chosen=first.chosen)
    segments = {segment.name: segment for segment in segments_of(split)}
    for variant, (users, _) in truths(split).items():
        values = mean_users([outcome.users[variant] for outcome in outcomes])
        whole.users[variant] = values
        whole.metrics[variant] = joined([one.metrics[variant] for one in outcomes], values, seed)
        whole.segments[variant] = {
            name: joined([one.segments[variant][name] for one in outcomes], _of(values, chosen), seed)
            for name in first.segments[variant]
            for chosen in (segments[name].members[users],)
        }
        whole.new_items[variant] = _means([one.new_items[variant] for one in outcomes])
        if first.rank:
            whole.rank[variant] = _means([one.rank[variant] for one in outcomes])
    whole.seconds = _means([one.seconds for one in outcomes])
    whole.memory_mib = max(one.memory_mib for one in outcomes)
    return whole


def joined(found: Sequence[dict[str, Any]], values: dict[str, DoubleArray], seed: int) -> dict[str, Any]:
    """Measures of several seeds as one: means, with the intervals of ``values``, the users' own means."""
    whole = _means([{k: v for k, v in one.items() if k not in values} for one in found])
    for name, interval in summary(values, seed).items():
        means = [one[name]["mean"] for one in found]
        spread = float(np.std(means, ddof=1)) if len(means) > 1 else 0.0
        whole[name] = {**interval, "spread": spread, "by_seed": means}
    return whole


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


def mean_users(
    users: Sequence[Mapping[str, DoubleArray]],
) -> dict[str, DoubleArray]:
    """Each measure of each user, averaged over runs."""
    return {name: np.mean([one[name] for one in users], axis=0) for name in users[0]}


def _of(values: dict[str, DoubleArray], chosen: Any) -> dict[str, DoubleArray]:
    return {name: column[chosen] for name, column in values.items()}
