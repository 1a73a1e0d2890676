"""First item vectors of a sequence tower for sparse data: the factors of what is taken together.

From random vectors a tower learns for many epochs nothing but popularity, where each item occurs a few times
only. The right singular vectors of the user-item matrix, each entry over the roots of its row's and column's
sums, are near where its items end up: items with the same takers lie together.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from models.evaluation.sequences import matrix

_ROUNDS = 4  # of the power iteration
_SPREAD = 0.1  # standard deviation of what is given back


def item_factors(
    histories: Sequence[npt.NDArray[np.int64]], n_items: int, width: int, seed: int
) -> npt.NDArray[np.float32]:
    """Float32 [N + 1, D] from histories of items 1 … N; line 0 is zero. Equal seeds give equal vectors."""
    taken = matrix([history - 1 for history in histories], n_items)
    users = np.sqrt(np.maximum(np.asarray(taken.sum(axis=1)).ravel(), 1.0))
    items = np.sqrt(np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1.0))
    scaled = taken.multiply(1.0 / users[:, None]).multiply(1.0 / items[None, :]).tocsr()
    rng = np.random.default_rng(seed)
    wide = min(2 * width, n_items)  # more than is kept: the iteration then finds the kept ones soon
    basis = rng.standard_normal((n_items, wide))
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(scaled.T @ (scaled @ basis))[0]
    _, values, turned = np.linalg.svd(scaled @ basis, full_matrices=False)
    found = np.zeros((n_items + 1, width), np.float32)
    kept = min(width, wide)
    found[1:, :kept] = (basis @ turned.T)[:, :kept] * np.sqrt(values[:kept])
    return np.asarray(found * (_SPREAD / max(float(found[1:].std()), 1e-9)), np.float32)
