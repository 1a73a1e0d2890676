"""The protocol ``retail``: predict what each user buys in the last 28 days from everything before.

Catalogue: items with at least 20 buyers in training. Users: those with a catalogue item in training and in
the test. Truth: the distinct catalogue items bought in the test. ``novel`` takes out, of lists and truth,
what the user bought before. Nothing of the test reaches a method.

Small or short data: the test is the last quarter where that is less than 28 days, and an item needs one buyer
in a hundred (two at least) where fewer than 2,000 users bought anything in training. Reports say what it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse

from engine.features import DAY_MS
from models.training.channels import Purchases
from models.training.dataset import DataFault, PreparedData

IntArray = npt.NDArray[np.int64]

TEST_DAYS = 28
MIN_BUYERS = 20
_TEST_SHARE = 4  # of short data the last quarter is the test


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
    end: int = 0  # ms, when the test ends; 0: it has no times of its own

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


def last_midnight(data: PreparedData) -> int:
    """When the last whole day ends, ms. A few lines after the last midnight (the data's last receipts,
    written in the night) belong to the day before: they are no day of their own."""
    last = data.end - 1
    end = midnight(last) + (DAY_MS if last - midnight(last) > DAY_MS // 4 else 0)
    # Data by the day (Ta-Feng) have midnight for every time of their last day.
    if (data.events.at % DAY_MS == 0).all():
        end = midnight(last) + DAY_MS
    return end


def window_days(data: PreparedData) -> int:
    """28, or a quarter of the days that the data span, if that is less; one at least."""
    span = (last_midnight(data) - midnight(data.begin)) // DAY_MS
    return min(TEST_DAYS, max(span // _TEST_SHARE, 1))


def cut_of(data: PreparedData, days: int = TEST_DAYS) -> int:
    """Midnight of the first of the last 28 (or so many) whole days.

    Complete Journey ends 2018-01-01 04:01 and its test begins 2017-12-04 00:00.
    """
    return last_midnight(data) - days * DAY_MS


def fewest_buyers(data: PreparedData, cut: int) -> int:
    """How many buyers before the cut an item of the catalogue needs: 20, in small data fewer."""
    events = data.events
    before = data.positive[events.type] & (events.at < cut)
    return min(MIN_BUYERS, max(round(len(np.unique(events.user[before])) / 100), 2))


@dataclass(frozen=True)
class LastDays:
    """The test is what is bought in the last days; each window before it is as long."""

    data: PreparedData
    days: int
    min_buyers: int | None = None  # None: by the size of the data

    def split(self, back: int = 0) -> RetailSplit:
        """The test, or the window so many windows before it. Raises DataFault if it has nobody."""
        data, cut = self.data, cut_of(self.data, self.days) - back * self.days * DAY_MS
        end = data.end if not back else cut + self.days * DAY_MS
        fewest = fewest_buyers(data, cut) if self.min_buyers is None else self.min_buyers
        found = split(data, cut, end, fewest)
        if not len(found.users):
            raise DataFault(
                f"{data.name}: nobody took an item with {fewest} buyers or more both before and in the "
                f"{self.days} days from {day(cut)}: {_missing(data, cut, end)}"
            )
        return found


def day(moment: int) -> str:
    """2017-12-04"""
    return (datetime(1970, 1, 1, tzinfo=timezone.utc) + timedelta(milliseconds=moment)).date().isoformat()


def _missing(data: PreparedData, cut: int, end: int) -> str:
    events = data.events
    taken = data.positive[events.type] & (events.item >= 0)
    if not taken.any():
        return "the data hold no event that counts as taken (dataset.toml, [events] positive)"
    if not (taken & (events.at < cut)).any():
        return "nothing is before them: choose fewer with --test-days, or give files with --train and --test"
    if not (taken & (events.at >= cut) & (events.at < end)).any():
        return "nothing was taken in them: choose more with --test-days"
    return "choose fewer with --min-buyers, or more days with --test-days"


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
    bought = binary(train.user, train.row, (users, len(chosen)))
    truth = binary(stream.user[during], rows[during], (users, len(chosen)))
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
        end,
    )


def binary(user: IntArray, row: IntArray, shape: tuple[int, int]) -> Any:
    """CSR float32 of the shape, 1 at each pair."""
    pairs = np.unique(user * shape[1] + row)
    ones = np.ones(len(pairs), np.float32)
    return scipy.sparse.csr_matrix((ones, (pairs // shape[1], pairs % shape[1])), shape)
