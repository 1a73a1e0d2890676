"""What the rankers of ``ml1m-rank`` read of each row: codes, numbers, history; never the row's own label.

Rows that are learnt from are described by the user's *other* rows, through a kernel that was learnt from
other users only (``rating_kernel.CrossKernels``), so they look as unseen rows do; rows to score, by the mean
of all kernels, none of which was told their ratings.

Legend: R rows, F sparse fields, G genres, X numbers, T places of the history.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features.feeds import CODES, CROSSES, HISTORY, Feed
from models.evaluation.methods.rating_kernel import Answers, CrossKernels, Histories, empty_answers
from models.evaluation.ml1m_data import Ratings

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

PLACES = 8
GENRES = "genres"  # the feed
FOLDS = 3
STEPS = 12  # of the kernels; chosen on validation


@dataclass(frozen=True)
class Rows:
    """Feeds of a ranker, under the names of ``models/rankers/history_deepfm.py``: the codes int64 [R, F] of
    item, user, item features and profile; numbers float32 [R, X]; genres float32 [R, G], lines sum to 1; the
    history [R, T] where the method has one. ``history``: all that the kernels answered, or None."""

    feeds: dict[str, npt.NDArray[Any]]
    history: Answers | None
    stars: IntArray  # [R]

    @property
    def declared(self) -> tuple[Feed, ...]:
        """What a network of these rows reads."""
        return tuple(Feed(name, values.dtype, values.shape[1:]) for name, values in self.feeds.items())


def answers(data: Ratings, learn: IntArray, score: IntArray, kept: Path) -> tuple[Answers, Answers]:
    """The history's answers for the rows to learn from and for those to score.

    The kernels are learnt from the training part alone, so that validation and test share them, and kept in
    the file ``kept``; the histories they answer from are the ``learn`` rows.
    """
    kernels = CrossKernels(_histories(data, data.rows("validation")[0]), FOLDS, STEPS)
    if not kernels.load(kept):
        kernels.learn()
        kernels.save(kept)
    told = _histories(data, learn)
    seen, asked = empty_answers(len(learn), PLACES), empty_answers(len(score), PLACES)
    kernels.leave_one_out(told, seen)
    kernels.ask(told, data.user[score], data.item[score], asked)
    return seen, asked


def _histories(data: Ratings, chosen: IntArray) -> Histories:
    stars = data.stars[chosen].astype(np.float32)
    return Histories.of(data.user[chosen], data.item[chosen], stars, len(data.user_ids), len(data.item_ids))


def rows(data: Ratings, chosen: IntArray, learn: IntArray, history: Answers | None) -> Rows:
    """The feeds of ``chosen`` rows; counts are of the ``learn`` rows without the row itself."""
    user, item = data.user[chosen], data.item[chosen]
    codes = np.concatenate(
        [item[:, None] + 1, user[:, None], data.item_codes[item], data.user_codes[user]], axis=1
    )
    own = np.isin(chosen, learn).astype(np.int64)
    of_user = np.bincount(data.user[learn], minlength=len(data.user_ids))[user] - own
    of_item = np.bincount(data.item[learn], minlength=len(data.item_ids))[item] - own
    columns = [np.log1p(of_user), np.log1p(of_item)]
    if history is not None:
        columns += [history.mean, history.liked, history.mean - history.liked]
        columns += [history.base, history.base + history.mean, history.spread]
    genres = data.genres / np.maximum(data.genres.sum(axis=1, keepdims=True), 1.0)
    feeds: dict[str, npt.NDArray[Any]] = {
        CODES: codes,
        CROSSES: np.stack(columns, axis=1).astype(np.float32),
        GENRES: genres[item].astype(np.float32),
    }
    if history is not None:
        items = history.neighbours.astype(np.int64) + 1  # 0: an empty place
        feeds |= zip(HISTORY, (items, history.weights, history.residuals), strict=True)
    return Rows(feeds, history, data.stars[chosen])


def buckets(data: Ratings) -> tuple[int, ...]:
    """Of each column of the codes; the item's are from 1 on."""
    items = [int(column.max()) + 1 for column in data.item_codes.T]
    users = [int(column.max()) + 1 for column in data.user_codes.T]
    return (len(data.item_ids) + 1, len(data.user_ids), *items, *users)
