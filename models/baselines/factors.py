"""Implicit-feedback matrix factors: Hu, Koren, Volinsky, ICDM 2008, by the ``implicit`` library."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluate.retail import RetailSplit


class ImplicitAls:
    """Alternating least squares on what was bought, binary, with ``implicit``'s own update rules."""

    def __init__(
        self, factors: int = 64, regularization: float = 5.0, alpha: float = 1.0, rounds: int = 15
    ) -> None:
        self._settings = {
            "factors": factors,
            "regularization": regularization,
            "alpha": alpha,
            "iterations": rounds,
            "num_threads": 2,
        }

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Factorise. Raises ImportError where the group ``bench`` is not installed."""
        from implicit.als import AlternatingLeastSquares  # noqa: PLC0415 - of the group bench

        model = AlternatingLeastSquares(**self._settings, random_state=seed)
        model.fit(split.bought, show_progress=False)
        self._users, self._items = np.asarray(model.user_factors), np.asarray(model.item_factors)

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._users[users] @ self._items.T)
