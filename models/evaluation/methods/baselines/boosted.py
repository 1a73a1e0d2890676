"""A gradient-boosted repeat ranker: LightGBM on what a shop's analyst would compute in an afternoon.

It ranks what the user bought before by 19 numbers of the pair, the item and the user; the rest of the list is
popularity. Its training window is the 28 days before the cut.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from engine.features import DAY_MS
from models.evaluation.retail import RetailSplit
from models.training.channels import Purchases

_WINDOW = 28 * DAY_MS
_HALF_LIVES = (7.0, 30.0, 90.0)


class BoostedRanker:
    """LambdaRank over the user's own items."""

    def fit(self, split: RetailSplit, seed: int) -> None:
        """Learn from the last window of training. Raises ImportError without the group ``bench``."""
        import lightgbm  # noqa: PLC0415 - of the group bench

        train = split.train
        cut = train.cutoff - _WINDOW
        pairs, features = pair_features(_before(train, cut))
        later = train.at >= cut
        taken = np.unique(train.user[later] * train.n_items + train.row[later])
        user = pairs // train.n_items
        active = np.isin(user, np.unique(train.user[later]))
        label = np.isin(pairs, taken)[active]
        sizes = np.unique(user[active], return_counts=True)[1]
        settings = {
            "objective": "lambdarank",
            "learning_rate": 0.06,
            "num_leaves": 31,
            "min_data_in_leaf": 100,
            "feature_fraction": 0.7,
            "num_threads": 2,
            "seed": seed,
            "verbose": -1,
        }
        data = lightgbm.Dataset(features[active], label.astype(np.float32), group=sizes)
        model = lightgbm.train(settings, data, 200)
        pairs, features = pair_features(train)
        scores = np.asarray(model.predict(features))
        scores = 1.0 + scores - scores.min()  # above anything not bought
        shape = (train.n_users, train.n_items)
        self._own = scipy.sparse.csr_matrix((scores, (pairs // shape[1], pairs % shape[1])), shape)
        buyers = np.asarray(split.bought.sum(axis=0)).ravel()
        self._tie = buyers / max(float(buyers.max(initial=1.0)), 1.0) * 0.5

    def scores(self, users: npt.NDArray[np.int64]) -> npt.NDArray[np.floating[Any]]:
        """[B, N]"""
        return np.asarray(self._own[users].toarray() + self._tie)


def _before(purchases: Purchases, cutoff: int) -> Purchases:
    chosen = purchases.at < cutoff
    return Purchases(
        purchases.user[chosen],
        purchases.row[chosen],
        purchases.at[chosen],
        purchases.weight[chosen],
        purchases.n_users,
        purchases.n_items,
        cutoff,
    )


def pair_features(
    purchases: Purchases,
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.float32]]:
    """Each (user, item) bought, as user · N + item ascending, [R], and its 19 features, [R, 19]."""
    n = purchases.n_items
    lines = np.unique(np.stack([purchases.user, purchases.row, purchases.at]), axis=1)
    user, row, days = lines[0], lines[1], (purchases.cutoff - lines[2]) / DAY_MS
    pairs, of = np.unique(user * n + row, return_inverse=True)
    count = np.bincount(of).astype(np.float64)
    last, first = np.full(len(pairs), np.inf), np.zeros(len(pairs))
    np.minimum.at(last, of, days)
    np.maximum.at(first, of, days)
    gap = (first - last) / np.maximum(count - 1, 1)
    decayed = [np.bincount(of, np.exp2(-days / half)) for half in _HALF_LIVES]
    recent = np.bincount(of, days < 28)
    mine, item = pairs // n, pairs % n
    visits = np.unique(np.stack([user, lines[2]]), axis=1)
    trips = np.bincount(visits[0], minlength=purchases.n_users)
    trip_days = (purchases.cutoff - visits[1]) / DAY_MS
    recent_trips = np.bincount(visits[0], trip_days < 28, purchases.n_users)
    newest = np.full(purchases.n_users, np.inf)
    np.minimum.at(newest, visits[0], trip_days)
    buyers = np.bincount(item, minlength=n)
    returners = np.bincount(item, count > 1, n)
    sold = [np.bincount(row[days < limit], minlength=n) for limit in (28, 90)]
    distinct = np.bincount(mine, minlength=purchases.n_users)
    columns = [
        *(count, last, first, gap, np.where(gap > 0, last / np.maximum(gap, 0.5), -1.0)),
        *(*decayed, recent, count / trips[mine]),
    ]
    share = decayed[-1] / np.bincount(user, np.exp2(-days / _HALF_LIVES[-1]), purchases.n_users)[mine]
    columns += [share, trips[mine], recent_trips[mine], newest[mine], distinct[mine]]
    columns += [buyers[item], returners[item] / (buyers[item] + 5.0), sold[0][item], sold[1][item]]
    return pairs, np.stack(columns, axis=1).astype(np.float32)
