"""The baselines by name. A new one is a class with ``fit`` and ``scores``, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.evaluation.methods.baselines.boosted import BoostedRanker
from models.evaluation.methods.baselines.factors import ImplicitAls
from models.evaluation.methods.baselines.linear import Ease
from models.evaluation.methods.baselines.neighbours import ItemKnn, TifuKnn
from models.evaluation.methods.baselines.recent import EaseTrend, RecentPopularity
from models.evaluation.methods.baselines.simple import CategoryPopularity, PersonalFrequency, Popularity
from models.evaluation.methods.baselines.tuning import Grid
from models.evaluation.retail import RetailSplit


class Baseline(Protocol):
    """A method that scores every item of the catalogue for every user."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Learn from ``split.train`` and ``split.bought``; ``split.truth`` is not to be read."""

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N], higher is better."""
        ...


METHODS: dict[str, Callable[..., Baseline]] = {
    "popularity": Popularity,
    "popularity-recent": RecentPopularity,
    "popularity-by-category": CategoryPopularity,
    "frequency": PersonalFrequency,
    "frequency-90d": lambda: PersonalFrequency(half_life=90.0),
    "itemknn": ItemKnn,
    "ease": Ease,
    "ease-trend": EaseTrend,
    "ials": ImplicitAls,
    "tifu-knn": TifuKnn,
    "lightgbm": BoostedRanker,
}

# Of these, settings are chosen on the window before the test, by NDCG of what is new to the user.
GRIDS: dict[str, Grid] = {
    "popularity-recent": Grid({}, [{"half_life": (1.0, 2.0, 3.0, 5.0, 7.0, 14.0, 28.0, 56.0)}]),
    "ease-trend": Grid(
        {"weight": 1000.0}, [{"half_life": (2.0, 4.0, 7.0, 14.0, 28.0), "power": (0.25, 0.5, 0.75, 1.0, 1.5)}]
    ),
    "ials": Grid(
        {"factors": 64, "exponent": 1.0, "epochs": 8},
        [
            {"unobserved": (0.1, 0.2, 0.4, 0.8), "regularization": (0.002, 0.005, 0.01, 0.02, 0.05)},
            {"factors": (32, 128, 256)},
            {"epochs": (4, 16)},
        ],
    ),
}

# Without times of events these have nothing to go by.
NEEDS_TIMES = frozenset({"popularity-recent", "ease-trend", "lightgbm"})
