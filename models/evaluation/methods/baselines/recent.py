"""What sells now: popularity with a half-life of days, and EASE weighed by each item's recent sales trend.

Baselines for what a user has not bought before: the plain ones know nothing of seasons.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.methods.baselines.linear import Ease
from models.evaluation.retail import RetailSplit
from models.training.channels import Purchases, popular

DoubleArray = npt.NDArray[np.float64]

_PRIOR = 1.0  # purchases by which small numbers are damped


class RecentPopularity:
    """Items by their purchases, each halved for every ``half_life`` days since: the same list for
    everybody."""

    def __init__(self, half_life: float = 7.0) -> None:
        self._half_life = half_life

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Count."""
        self._sales = popular(split.train, self._half_life)

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.tile(self._sales, (len(users), 1))


class EaseTrend:
    """score = EASE(u, i) · trend(i) ** power, see ``sales_trend``."""

    def __init__(self, half_life: float = 7.0, power: float = 0.5, weight: float = 1000.0) -> None:
        self._half_life, self._power, self._weight = half_life, power, weight

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Solve EASE and count the recent sales."""
        self._ease = Ease.solved(split, self._weight)
        self._factor = sales_trend(split.train, self._half_life) ** self._power

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._ease.scores(users) * self._factor)


def sales_trend(purchases: Purchases, half_life: float) -> DoubleArray:
    """[N], positive: purchases halved for every ``half_life`` days since, over all purchases, each with a
    prior.

    Proportional to how much more an item sells now than over the whole time; the prior of the recent number
    is scaled like the sales as a whole, so that an item without sales keeps the mean trend.
    """
    recent = popular(purchases, half_life)
    ever = popular(purchases, np.inf)
    share = recent.sum() / max(float(ever.sum()), 1e-9)
    found: DoubleArray = (recent + _PRIOR * share) / (ever + _PRIOR)
    return found
