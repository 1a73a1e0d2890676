"""The baselines by name. A new one is a class with ``fit`` and ``scores``, and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from models.baselines.boosted import BoostedRanker
from models.baselines.factors import ImplicitAls
from models.baselines.linear import Ease
from models.baselines.neighbours import ItemKnn, TifuKnn
from models.baselines.simple import CategoryPopularity, PersonalFrequency, Popularity
from models.evaluate.retail import RetailSplit


class Baseline(Protocol):
    """A method that scores every item of the catalogue for every user."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Learn from ``split.train`` and ``split.bought``; ``split.truth`` is not to be read."""

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N], higher is better."""
        ...


METHODS: dict[str, Callable[[], Baseline]] = {
    "popularity": Popularity,
    "popularity-by-category": CategoryPopularity,
    "frequency": PersonalFrequency,
    "frequency-90d": lambda: PersonalFrequency(half_life=90.0),
    "itemknn": ItemKnn,
    "ease": Ease,
    "ials": ImplicitAls,
    "tifu-knn": TifuKnn,
    "lightgbm": BoostedRanker,
}
