"""Made-up browsing for datasets that hold purchases only.

A shop's visitors click; a ranker that never saw a click in training cannot know what one means, and a
list would hardly answer to it. So a share of the training contexts gets a few clicks just before its
moment: some on what was then bought, the others anywhere. Validation never does. The share on target is
an assumption, not a measurement; data with browsing of their own are left as they are. See docs/adr/0035.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.features import History
from engine.vocabulary import EVENT_CODE

IntArray = npt.NDArray[np.int64]

SHARE = 0.3  # of the training contexts
ON_TARGET = 0.35  # of the events made up
_MOST = 3  # events in a context
_WITHIN_DAYS = 0.05
_TYPES = ("view", "click", "click", "cart", "favorite")  # drawn evenly
_CODES = np.array([EVENT_CODE[kind] for kind in _TYPES], np.int8)


def has_browsing(types: npt.NDArray[np.int8]) -> bool:
    """Whether a dataset's events, by type code, hold any of the kinds made up here."""
    return bool(np.isin(types, _CODES).any())


def browse(history: History, taken: IntArray, n_items: int, rng: np.random.Generator) -> History:
    """The history with one to three newer events; ``taken``: rows bought after the moment."""
    count = int(rng.integers(1, _MOST + 1))
    rows = rng.integers(0, n_items, count)
    if len(taken):
        rows = np.where(rng.random(count) < ON_TARGET, rng.choice(taken, count), rows)
    ages = np.sort(rng.uniform(1e-4, _WITHIN_DAYS, count))
    return History(
        np.concatenate([rows, history.rows]),
        np.concatenate([rng.choice(_CODES, count), history.types]),
        np.concatenate([ages, history.ages + _WITHIN_DAYS]),
    )
