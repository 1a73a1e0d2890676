"""What a user takes regularly: from their own history, without training."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.features import HistorySummary


def bought_again(past: HistorySummary, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows of items taken before and how strongly they are expected again, best first, at most ``count``.

    The score is the number of times taken, each halved for every longest half-life (90 days) since, plus as
    much again for the middle one (30 days): staples lead, and what was given up fades.
    """
    taken = past.positive
    decayed = (past.decay[-1] + past.decay[1])[taken]
    weight = np.bincount(past.inverse[taken], decayed, len(past.items)).astype(np.float64, copy=False)
    order = np.argsort(-weight, kind="stable")[:count]
    order = order[weight[order] > 0]
    return past.items[order], weight[order]
