"""Matrices that several baselines start from. Legend: U users, N items."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse

from models.training.channels import Purchases


def visits(purchases: Purchases, half_life: float | None = None) -> Any:
    """CSR float32 [U, N]: at how many moments a user bought an item, each halved for every ``half_life`` days
    since. Two lines of one receipt count once."""
    n = purchases.n_items
    lines = np.unique(np.stack([purchases.user, purchases.row, purchases.at]), axis=1)
    days = (purchases.cutoff - lines[2]) / 86_400_000
    weight = np.ones(len(days)) if half_life is None else np.exp2(-days / half_life)
    shape = (purchases.n_users, n)
    matrix = scipy.sparse.coo_matrix((weight.astype(np.float32), (lines[0], lines[1])), shape)
    return matrix.tocsr()
