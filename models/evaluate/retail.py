"""The protocol ``retail``: predict what each user buys in the last 28 days from everything before.

Catalogue: items with at least 20 buyers in training. Users: those with a catalogue item in training and in
the test. Truth: the distinct catalogue items bought in the test. ``novel`` takes out, of lists and truth,
what the user bought before. Nothing of the test reaches a method.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from models.channels import Purchases
from models.dataset import PreparedData
from models.features import DAY_MS

IntArray = npt.NDArray[np.int64]

TEST_DAYS = 28
MIN_BUYERS = 20


@dataclass(frozen=True)
class RetailSplit:
    """Training and truth of one cut. Legend: U users of the data, N items of the catalogue."""

    data: PreparedData
    item_ids: list[str]  # [N]
    train: Purchases  # before the cut
    truth: Any  # CSR [U, N], bought in the test window
    bought: Any  # CSR [U, N], bought in training
    users: IntArray  # who is measured
    novel_truth: Any  # CSR [U, N], truth without what was bought before
    novel_users: IntArray
    min_buyers: int = MIN_BUYERS  # of an item of the catalogue, in training

    @property
    def cut(self) -> int:
        """When the test begins, ms."""
        return self.train.cutoff

    @property
    def popularity(self) -> npt.NDArray[np.float64]:
        """The share of the training users who bought each item, [N]."""
        buyers = np.asarray(self.bought.sum(axis=0)).ravel()
        users = max(int((np.diff(self.bought.indptr) > 0).sum()), 1)
        return np.asarray(np.maximum(buyers, 1.0) / users, np.float64)


def midnight(moment: int) -> int:
    """The start of the day, by the data's clock, ms."""
    return moment - moment % DAY_MS


def cut_of(data: PreparedData) -> int:
    """Midnight of the first of the last 28 whole days. A few lines after the last midnight (the data's last
    receipts, written in the night) belong to the day before: that day is not counted as one of the 28.

    Complete Journey ends 2018-01-01 04:01 and its test begins 2017-12-04 00:00.
    """
    last = data.end - 1
    end = midnight(last) + (DAY_MS if last - midnight(last) > DAY_MS // 4 else 0)
    # Data by the day (Ta-Feng) have midnight for every time of their last day.
    if (data.events.at % DAY_MS == 0).all():
        end = midnight(last) + DAY_MS
    return end - TEST_DAYS * DAY_MS


def split(data: PreparedData, cut: int, end: int, min_buyers: int = MIN_BUYERS) -> RetailSplit:
    """Training before ``cut``, truth in [cut, end); times in ms."""
    stream, users = data.events, len(data.user_ids)
    n_all = len(data.item_ids)
    positive = data.positive[stream.type] & (stream.item >= 0)
    before = positive & (stream.at < cut)
    pairs = np.unique(stream.user[before] * n_all + stream.item[before])
    buyers = np.bincount(pairs % n_all, minlength=n_all)
    chosen = np.flatnonzero(buyers >= min_buyers)
    row = np.full(n_all, -1, np.int64)
    row[chosen] = np.arange(len(chosen))
    rows = np.where(stream.item >= 0, row[stream.item], -1)
    before &= rows >= 0
    during = positive & (rows >= 0) & (stream.at >= cut) & (stream.at < end)
    train = Purchases(
        stream.user[before],
        rows[before],
        stream.at[before],
        data.weights[stream.type[before]],
        users,
        len(chosen),
        cut,
    )
    bought = _binary(train.user, train.row, (users, len(chosen)))
    truth = _binary(stream.user[during], rows[during], (users, len(chosen)))
    known = np.diff(bought.indptr) > 0
    fresh = (truth - truth.multiply(bought)).tocsr()
    fresh.eliminate_zeros()
    return RetailSplit(
        data,
        [data.item_ids[index] for index in chosen.tolist()],
        train,
        truth,
        bought,
        np.flatnonzero(known & (np.diff(truth.indptr) > 0)),
        fresh,
        np.flatnonzero(known & (np.diff(fresh.indptr) > 0)),
        min_buyers,
    )


def _binary(user: IntArray, row: IntArray, shape: tuple[int, int]) -> Any:
    pairs = np.unique(user * shape[1] + row)
    ones = np.ones(len(pairs), np.float32)
    return scipy.sparse.csr_matrix((ones, (pairs // shape[1], pairs % shape[1])), shape)
