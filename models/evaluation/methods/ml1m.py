"""The methods of ``ml1m-rank``: each learns from rows and tells of others how probable > 3 stars are.

Legend: R rows, U users, N items.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.features.feeds import CODES, CROSSES
from models.evaluation.measures import platt
from models.evaluation.methods.ml1m_features import GENRES, Rows, answers, buckets, rows
from models.evaluation.ml1m_data import Ratings

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_SHRINK = 10.0  # rows at the mean that every user and item starts with
_SWEEPS = 10
_NEUTRAL = 3.0


@dataclass(frozen=True)
class Task:
    """What to learn from, what to score, and where to keep what takes long."""

    data: Ratings
    learn: IntArray
    score: IntArray
    kernels: Path  # the rating kernels, shared by runs


@dataclass(frozen=True)
class Method:
    """``describe`` makes both sets of rows, once for all seeds; ``score`` learns from the first and gives the
    probabilities of the second, given a seed and a folder for checkpoints."""

    describe: Callable[[Task], tuple[Rows, Rows]]
    score: Callable[[Task, Rows, Rows, int, Path], FloatArray]


def _logistic(logits: npt.NDArray[np.floating[Any]]) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)


def bias(task: Task, _learn: Rows, _score: Rows, _seed: int, _work: Path) -> FloatArray:
    """Mean + user's deviation + item's, shrunk, fitted in turns (Koren, KDD 2008); Platt's scaling."""
    data, learn = task.data, task.learn
    label = data.label[learn].astype(np.float64)
    middle = label.mean()
    users, items = np.zeros(len(data.user_ids)), np.zeros(len(data.item_ids))
    for _ in range(_SWEEPS):
        items = _deviation(data.item[learn], label - middle - users[data.user[learn]], len(items))
        users = _deviation(data.user[learn], label - middle - items[data.item[learn]], len(users))
    value = middle + users[data.user] + items[data.item]
    slope, intercept = platt(value[learn], label)
    return _logistic(slope * value[task.score] + intercept)


def _deviation(index: IntArray, rest: npt.NDArray[np.float64], size: int) -> npt.NDArray[np.float64]:
    total = np.bincount(index, rest, size)
    return np.asarray(total / (np.bincount(index, minlength=size) + _SHRINK), np.float64)


def with_history(task: Task) -> tuple[Rows, Rows]:
    """Both sets of rows with the history's answers."""
    seen, asked = answers(task.data, task.learn, task.score, task.kernels)
    return (
        rows(task.data, task.learn, task.learn, seen),
        rows(task.data, task.score, task.learn, asked),
    )


def without_history(task: Task) -> tuple[Rows, Rows]:
    """Both sets of rows: ids, profile, item features and counts."""
    return rows(task.data, task.learn, task.learn, None), rows(task.data, task.score, task.learn, None)


def kernel(_task: Task, learn: Rows, score: Rows, _seed: int, _work: Path) -> FloatArray:
    """The closed-form attention over the user's ratings alone; Platt's scaling."""
    slope, intercept = platt(_expected(learn), (learn.stars > 3).astype(np.float64))
    return _logistic(slope * _expected(score) + intercept)


def _expected(found: Rows) -> FloatArray:
    """Expected stars above the neutral 3, [R]: near 0, where fitting a slope begins."""
    if found.history is None:
        raise ValueError("rows without a history")
    expected: FloatArray = found.history.base + found.history.mean - np.float32(_NEUTRAL)
    return expected


def boosted(_task: Task, learn: Rows, score: Rows, seed: int, _work: Path) -> FloatArray:
    """LightGBM on what ``deepfm-history`` reads but ids and places of the history. Of the group bench."""
    import lightgbm  # noqa: PLC0415 - of the group bench

    settings = {
        "objective": "binary",
        "learning_rate": 0.1,
        "num_leaves": 63,
        "min_data_in_leaf": 100,
        "feature_fraction": 0.8,
        "num_threads": 1,
        "seed": seed,
        "verbose": -1,
    }
    train = lightgbm.Dataset(_table(learn), (learn.stars > 3).astype(np.float32))
    rounds = 150
    bar = tqdm(total=rounds, desc="lightgbm", unit="tree", disable=None)
    with bar:
        model = lightgbm.train(settings, train, rounds, callbacks=[lambda _: bar.update() and None])
    return np.asarray(model.predict(_table(score)), np.float32)


def _table(found: Rows) -> FloatArray:
    """Numbers, codes but the two ids, and genres, [R, columns]."""
    codes = found.feeds[CODES][:, 2:].astype(np.float32)
    return np.concatenate([found.feeds[CROSSES], codes, found.feeds[GENRES]], axis=1)


def deepfm(task: Task, learn: Rows, score: Rows, seed: int, work: Path) -> FloatArray:
    """A plain DeepFM: ids, profile and item features."""
    from models.evaluation.methods.ml1m_train import PLAIN, train  # noqa: PLC0415 - Paddle only where it is trained

    return train(learn, buckets(task.data), PLAIN, seed, work)(score)


def deepfm_history(task: Task, learn: Rows, score: Rows, seed: int, work: Path) -> FloatArray:
    """DeepFM with attention over the user's history (``models.rankers.history_deepfm``)."""
    from models.evaluation.methods.ml1m_train import HISTORY, train  # noqa: PLC0415 - Paddle only where it is trained

    return train(learn, buckets(task.data), HISTORY, seed, work)(score)


METHODS: dict[str, Method] = {
    "bias": Method(without_history, bias),
    "kernel": Method(with_history, kernel),
    "lightgbm": Method(with_history, boosted),
    "deepfm": Method(without_history, deepfm),
    "deepfm-history": Method(with_history, deepfm_history),
}
