"""What a user takes regularly and what they looked at last: from their own history, without training."""

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


def looked_at(past: HistorySummary, count: int) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float64]]:
    """Rows of items looked at, put into the cart or saved, but not taken since, strongest and newest first.

    The score is the sum of each event's interest, halved for every shortest half-life (7 days) since.
    """
    wanted = past.interest * past.decay[0] * ~past.positive
    weight = np.bincount(past.inverse, wanted, len(past.items)).astype(np.float64, copy=False)
    newest_look, newest_take = np.full(len(past.items), np.inf), np.full(len(past.items), np.inf)
    np.minimum.at(newest_look, past.inverse[wanted > 0], past.ages[wanted > 0])
    np.minimum.at(newest_take, past.inverse[past.positive], past.ages[past.positive])
    weight[newest_take <= newest_look] = 0.0
    order = np.argsort(-weight, kind="stable")[:count]
    order = order[weight[order] > 0]
    return past.items[order], weight[order]
