"""How well the ranker orders and prices what recall gave it: rank measures on the candidates as served."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.rank_measures import rank_measures
from models.evaluation.ranking import IntArray

_DRAWS = 200  # of the bootstrap: each goes through all candidates, millions of them


@dataclass(frozen=True)
class Scored:
    """The candidates of G users, [R] each: the user's line, the catalogue's row, the probability."""

    line: IntArray
    row: IntArray
    probability: npt.NDArray[np.float32]

    @classmethod
    def join(cls, parts: list[tuple[IntArray, npt.NDArray[np.float32]]]) -> Scored:
        """From each user's rows and probabilities, in the order of the lines."""
        line = np.repeat(np.arange(len(parts)), [len(rows) for rows, _ in parts])
        if not len(line):
            return cls(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, np.float32))
        return cls(line, np.concatenate([p[0] for p in parts]), np.concatenate([p[1] for p in parts]))


def rank_metrics(scored: Scored, truth: Any, seed: int = 7) -> dict[str, Any]:
    """``rank_measures`` of candidates, if some are taken and some not, and ``recall``: the mean share of a
    user's truth that is among the candidates, the most a ranker can find.

    ``truth`` CSR [G, N], each line with at least one item.
    """
    label = np.asarray(truth[scored.line, scored.row]).ravel() > 0
    found = np.bincount(scored.line, label, truth.shape[0]) / np.diff(truth.indptr)
    measured = {"candidates": len(label), "recall": float(found.mean())}
    if not label.any() or label.all():
        return measured
    return {**measured, **rank_measures(scored.line, label, scored.probability, seed, _DRAWS)}
