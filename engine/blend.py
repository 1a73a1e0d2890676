"""Two orders of the same candidates as one."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

_FUSION = 20.0  # a page: the first places of a list do not outweigh the rest of it


def blend(scores: npt.NDArray[np.floating[Any]], weight: float) -> npt.NDArray[np.int64]:
    """Positions of the candidates of a shopper without history, best first: between their order, which begins
    with what suits the profile, and the ranker's ``scores``. ``weight`` 1: the first order, 0: the second.

    Places are compared, 1 / (20 + place) each: scores have scales of their own (Cormack et al., SIGIR 2009).
    """
    given = np.arange(len(scores))
    ranked = np.empty(len(scores), np.int64)
    ranked[np.argsort(-scores, kind="stable")] = given
    return np.argsort(-(weight / (_FUSION + given) + (1 - weight) / (_FUSION + ranked)), kind="stable")
