"""A set of ids in eight bytes each: enough to know "seen before" for millions of them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

Hashes = npt.NDArray[np.uint64]


class IdSet:
    """Ids as sorted arrays of 64-bit hashes.

    A Python set of strings costs about 100 bytes an id, which would make memory grow with the number of users
    of a large raw file. Two of ten million ids share a hash with a probability of 3 in a million.
    """

    def __init__(self) -> None:
        self._runs: list[Hashes] = []  # each sorted; every run is longer than the next

    def __len__(self) -> int:
        return sum(len(run) for run in self._runs)

    def contains(self, ids: Any) -> npt.NDArray[np.bool_]:
        """Which of the ids (Arrow string array without nulls, [N]) were added before: bool [N]."""
        return self._known(_hashes(ids))

    def add(self, ids: Any) -> npt.NDArray[np.bool_]:
        """Add the ids ([N]); True where an id was not known before and is the first of its kind in `ids`."""
        hashes = _hashes(ids)
        unique, first = np.unique(hashes, return_index=True)
        fresh = ~self._known(unique)
        self._append(unique[fresh])
        new = np.zeros(len(hashes), dtype=np.bool_)
        new[first[fresh]] = True
        return new

    def _known(self, hashes: Hashes) -> npt.NDArray[np.bool_]:
        known = np.zeros(len(hashes), dtype=np.bool_)
        for run in self._runs:
            at = np.minimum(np.searchsorted(run, hashes), len(run) - 1)
            known |= run[at] == hashes
        return known

    def _append(self, run: Hashes) -> None:
        if not len(run):
            return
        while self._runs and len(self._runs[-1]) <= 2 * len(run):  # keeps the number of runs logarithmic
            run = np.sort(np.concatenate([self._runs.pop(), run]))
        self._runs.append(run)


def _hashes(ids: Any) -> Hashes:
    texts = ids.to_numpy(zero_copy_only=False).astype(object)
    return pd.util.hash_array(texts, categorize=False)
