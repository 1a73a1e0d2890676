"""Whom a method serves well: light and heavy users, short and long histories; and what of it is new.

Users of ``retail`` by two looks at what they bought of the catalogue before the cut:

* ``light``, ``medium``, ``heavy``: terciles of the measured users by distinct items bought;
* ``visits 1-4`` … ``visits 100+``: the moments (receipts; days in data by the day) at which they bought.

New items are those first bought in the last 28 days before the cut. Cold users, without any event, have no
place in a protocol that needs a past: the protocol ``cold`` measures them, on users held out.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import DAY_MS
from models.evaluation.ranking import IntArray
from models.evaluation.retail import RetailSplit

NEW_DAYS = 28
_VISITS = (1, 5, 20, 100)  # the least of each class


@dataclass(frozen=True)
class Segment:
    """Some of the users; ``members`` bool [U] over all users of the data."""

    name: str
    definition: str
    members: npt.NDArray[np.bool_]


def segments_of(split: RetailSplit) -> list[Segment]:
    """The segments that have a measured user, light to heavy, then few visits to many."""
    distinct = np.diff(split.bought.indptr)
    low, high = np.floor(np.quantile(distinct[split.users], (1 / 3, 2 / 3))).astype(int).tolist()
    found = [
        Segment("light", f"at most {low:,} distinct items", distinct <= low),
        Segment("medium", f"{low + 1:,} to {high:,} distinct items", (distinct > low) & (distinct <= high)),
        Segment("heavy", f"more than {high:,} distinct items", distinct > high),
    ]
    visits = _visits(split)
    for least, following in zip(_VISITS, (*_VISITS[1:], None), strict=True):
        name = f"visits {least}+" if following is None else f"visits {least}-{following - 1}"
        members = (visits >= least) & (visits < (following or np.inf))
        found.append(Segment(name, "moments of buying before the cut", members))
    return [segment for segment in found if segment.members[split.users].any()]


def new_rows(split: RetailSplit, days: int = NEW_DAYS) -> npt.NDArray[np.bool_]:
    """Which items of the catalogue were first bought in the last days before the cut, [N]."""
    first = np.full(split.train.n_items, np.iinfo(np.int64).max)
    np.minimum.at(first, split.train.row, split.train.at)
    return np.asarray(first >= split.cut - days * DAY_MS)


def new_item_shares(rows: IntArray, truth: Any, new: npt.NDArray[np.bool_]) -> dict[str, float]:
    """What part new items have in lists, hits and truth, and how much of their truth is found.

    ``rows`` int64 [G, K], -1 = empty place; ``truth`` CSR [G, N], line g for list g; ``new`` bool [N].
    """
    lines = np.arange(len(rows))[:, None]
    shown = rows >= 0
    hit = np.asarray(truth[lines, np.maximum(rows, 0)].todense() > 0) & shown
    fresh = new[np.maximum(rows, 0)] & shown
    true_new = int(new[truth.indices].sum())
    hits_new = int((hit & fresh).sum())
    return {
        "items": int(new.sum()),
        "of_shown": int(fresh.sum()) / max(int(shown.sum()), 1),
        "of_hits": hits_new / max(int(hit.sum()), 1),
        "of_truth": true_new / max(truth.nnz, 1),
        "recall": hits_new / max(true_new, 1),
    }


def _visits(split: RetailSplit) -> IntArray:
    moments = np.unique(np.stack([split.train.user, split.train.at]), axis=1)
    return np.bincount(moments[0], minlength=split.train.n_users).astype(np.int64)
