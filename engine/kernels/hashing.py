"""A hash table of int64 keys >= 0 as two arrays: no memory in proportion to the catalogue, no lock.

`keys` has a power of two places, -1 where empty, at least four times as many as keys; a collision takes the
next place. What belongs to a key is kept at its place in arrays beside it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from engine.kernels.compiler import helper

Keys = npt.NDArray[np.int64]

_MULTIPLIER = 0x9E3779B1  # odd, near 2**32 divided by the golden ratio: spreads neighbouring keys
_SHIFT = 16


@helper
def places_for(count: int) -> int:
    """The number of places for `count` keys."""
    size = 16
    while size < 4 * count:
        size *= 2
    return size


@helper
def find(keys: Keys, key: int) -> int:
    """The place of a key, or, if it is not there, the empty place where it belongs."""
    mask = len(keys) - 1
    place = (key * _MULTIPLIER >> _SHIFT) & mask
    while keys[place] != key and keys[place] >= 0:
        place = (place + 1) & mask
    return place
