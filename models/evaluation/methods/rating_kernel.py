"""Attention over a user's other ratings, with weights in closed form: a Gaussian process over items.

A user's opinions of all N items are one draw f ~ N(m, K); a rating is y = f + noise, noise ~ N(0, s²). Given
the ratings y_O of the items O, the opinion of item i is

    f_i = m_i + Σ_j∈O a_ij (y_j - m_j),   a_i· = K_iO (K_OO + s² I)⁻¹      attention of i over the history O

m, K and s² are learnt from all users by expectation maximisation with missing ratings missing, not zero (Yu
et al., "Fast Nonparametric Matrix Factorization for Large-scale Collaborative Filtering", SIGIR 2009). With
P = (K_OO + s² I)⁻¹, leaving out the rating of i itself is a_ij = -P_ij / P_ii: one inverse serves all of a
user's rows.

K starts smooth and learns detail with every step, so the number of steps is its regularisation.

Legend: U users, N items, R ratings, Q questions, T neighbours kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy.linalg import lapack
from tqdm import tqdm

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]

PACE = (1.2, 4.0)  # over-relaxation, in turns: 1.2 settles what 4 would overshoot
_SAME, _OWN = 0.15, 0.3  # K at the start: covariance of any two items, and what an item has more on its own
_NOISE = 1.0  # s² at the start, stars²
_PSEUDO = 5.0  # ratings at the mean that each item's mean starts with
SHARE = (0.33, 0.33, 0.33, 0.33, 0.5, 0.5, 1.0)  # of the teachers, by step; the last goes on
_LONGEST = 200  # ratings of one user that a step reads; the cost grows with the cube
_TINY = 1e-6
_SLACK = 1e-3  # stars²
_NUMBERS = ("mean", "liked", "spread", "base")
_LEARNT = ("mean", "covariance", "noise")


@dataclass(frozen=True)
class Histories:
    """Ratings sorted by user: user u's are rows ``start[u]`` to ``start[u + 1]``."""

    item: IntArray  # [R]
    value: FloatArray  # [R], stars
    start: IntArray  # [U + 1]
    n_items: int

    @classmethod
    def of(cls, user: IntArray, item: IntArray, value: FloatArray, n_users: int, n_items: int) -> Histories:
        """From ratings already sorted by user. Raises ValueError if they are not."""
        if (np.diff(user) < 0).any():
            raise ValueError("ratings must be sorted by user")
        start = np.concatenate([[0], np.cumsum(np.bincount(user, minlength=n_users))])
        return cls(item, value, start.astype(np.int64), n_items)

    def rows(self, user: int) -> slice:
        """Where the user's ratings are."""
        return slice(int(self.start[user]), int(self.start[user + 1]))


@dataclass(frozen=True)
class Answers:
    """What the histories say of Q (user, item) questions. Neighbours: item -1 is an empty place."""

    mean: FloatArray  # [Q] expected rating less the item's mean, stars
    liked: FloatArray  # [Q] the part of ``mean`` that ratings above the item's mean gave
    spread: FloatArray  # [Q] standard deviation of the opinion, stars
    base: FloatArray  # [Q] the item's mean, stars
    neighbours: npt.NDArray[np.int16]  # [Q, T] the history's items with the largest weight, largest first
    weights: FloatArray  # [Q, T] their a_ij
    residuals: FloatArray  # [Q, T] their y_j - m_j, stars

    @classmethod
    def names(cls) -> list[str]:
        """The arrays' names, in order."""
        return [field.name for field in fields(cls)]


def empty_answers(questions: int, keep: int) -> Answers:
    """Room for the answers to ``questions``, to be filled."""
    flat = [np.zeros(questions, np.float32) for _ in range(4)]
    wide = [np.zeros((questions, keep), np.float32) for _ in range(2)]
    return Answers(flat[0], flat[1], flat[2], flat[3], np.full((questions, keep), -1, np.int16), *wide)


class RatingKernel:
    """m, K and s², learnt step by step."""

    def __init__(self, data: Histories, learn_from: Sequence[int] | IntArray, seed: int = 7) -> None:
        """``learn_from``: the users whose ratings teach; others may be asked about all the same."""
        self._data = data
        self._teachers = np.asarray(learn_from, np.int64)
        self._rng = np.random.default_rng(seed)
        rows = np.concatenate([np.arange(*data.start[[u, u + 1]]) for u in self._teachers.tolist()])
        count = np.bincount(data.item[rows], minlength=data.n_items)
        middle = data.value[rows].mean(dtype=np.float64)
        total = np.bincount(data.item[rows], data.value[rows] - middle, data.n_items)
        self.mean = (total / (count + _PSEUDO) + middle).astype(np.float32)  # [N]
        self.covariance = np.full((data.n_items, data.n_items), _SAME, np.float32)  # [N, N]
        self.covariance.flat[:: data.n_items + 1] += np.float32(_OWN)
        self.noise = np.float32(_NOISE)
        self.steps = 0

    def step(self) -> None:
        """One step of expectation maximisation, over-relaxed."""
        scatter = np.zeros_like(self.covariance)
        pull = np.zeros(len(self.mean), np.float32)
        noise, seen, s2 = 0.0, 0, float(self.noise)
        share = SHARE[min(self.steps, len(SHARE) - 1)]
        wanted = max(int(share * len(self._teachers)), 1)
        teachers = np.sort(self._rng.choice(self._teachers, wanted, replace=False))
        for user in teachers.tolist():
            rows = np.arange(*self._data.start[[user, user + 1]])
            if not len(rows):
                continue
            if len(rows) > _LONGEST:
                rows = np.sort(self._rng.choice(rows, _LONGEST, replace=False))
            items = self._data.item[rows]
            precision = self._precision(items)
            alpha = precision @ (self._data.value[rows] - self.mean[items])
            noise += float(s2 * s2 * (alpha @ alpha - precision.trace()) + s2 * len(rows))
            seen += len(rows)
            scatter[np.ix_(items, items)] += np.outer(alpha, alpha) - precision
            pull[items] += alpha
        users = np.float32(wanted)
        self.mean = self.mean + self.covariance @ pull / users
        change = self.covariance @ scatter @ self.covariance / users
        self._move((change + change.T) / 2)
        self.noise = np.float32(max(noise / max(seen, 1), _TINY))
        self.steps += 1

    def _move(self, change: FloatArray) -> None:
        """Add the change to K, times this step's pace or as much of it as leaves K a covariance."""
        pace = PACE[self.steps % len(PACE)]
        while True:
            moved = self.covariance + change * np.float32(pace)
            # Once the change is always safe; rounding is covered by the noise, which every use adds.
            if (
                pace <= 1.0
                or not lapack.spotrf(moved + np.float32(_SLACK) * np.eye(len(moved), dtype="f4"))[1]
            ):
                self.covariance = moved
                return
            pace = max(pace / 2, 1.0)

    def leave_one_out(self, told: Histories, user: int, into: Answers) -> None:
        """Answer every rating of the user from the user's other ratings; fills ``into`` at their rows."""
        rows = told.rows(user)
        items = told.item[rows]
        if not len(items):
            return
        precision = self._precision(items)
        diagonal = precision.diagonal().copy()
        weights = -precision / diagonal[:, None]
        np.fill_diagonal(weights, 0.0)
        variance = np.maximum(1.0 / diagonal - self.noise, _TINY)
        self._fill(into, rows, told, user, items, weights, variance)

    def ask(self, told: Histories, user: int, rows: slice, items: IntArray, into: Answers) -> None:
        """Answer for items the user has not rated; fills ``into`` at ``rows``."""
        history = told.item[told.rows(user)]
        across = self.covariance[np.ix_(items, history)]
        weights = across @ self._precision(history) if len(history) else across
        variance = np.maximum(self.covariance[items, items] - (weights * across).sum(axis=1), _TINY)
        self._fill(into, rows, told, user, items, weights, variance)

    def _fill(
        self,
        into: Answers,
        rows: slice,
        told: Histories,
        user: int,
        items: IntArray,
        weights: FloatArray,
        variance: FloatArray,
    ) -> None:
        own = told.rows(user)
        history = told.item[own]
        residual = told.value[own] - self.mean[history]
        into.mean[rows] = weights @ residual
        into.liked[rows] = weights @ np.maximum(residual, 0.0)
        into.spread[rows] = np.sqrt(variance)
        into.base[rows] = self.mean[items]
        keep = min(into.weights.shape[1], len(history))
        if keep:
            size = np.abs(weights)
            best = np.argpartition(-size, keep - 1, axis=1)[:, :keep]
            best = np.take_along_axis(best, np.argsort(-np.take_along_axis(size, best, 1), axis=1), 1)
            chosen = np.take_along_axis(weights, best, axis=1)
            used = chosen != 0.0  # the left-out rating itself has weight 0
            into.neighbours[rows, :keep] = np.where(used, history[best], -1)
            into.weights[rows, :keep] = chosen
            into.residuals[rows, :keep] = np.where(used, residual[best], 0.0)

    def _precision(self, items: IntArray) -> FloatArray:
        """(K_OO + s² I)⁻¹, [O, O]. Raises FloatingPointError if K is no covariance any more."""
        matrix = self.covariance[np.ix_(items, items)]
        matrix.flat[:: len(items) + 1] += self.noise
        factor, fault = lapack.spotrf(matrix, lower=1, overwrite_a=1)
        if fault:
            raise FloatingPointError("the rating kernel is not positive definite any more")
        inverse, _ = lapack.spotri(factor, lower=1, overwrite_c=1)
        lower = np.tril(inverse)
        full: FloatArray = lower + np.tril(lower, -1).T
        return full


class CrossKernels:
    """Kernels that each leave out a part of the users, so that nobody is answered by one that saw them."""

    def __init__(self, data: Histories, folds: int, steps: int, seed: int = 7) -> None:
        """Users are dealt at random into ``folds``."""
        digest = sha256(data.item.tobytes() + data.value.tobytes() + data.start.tobytes()).hexdigest()[:16]
        self.about = f"{digest} {folds} folds {steps} steps seed {seed}"
        self._steps = steps
        users = len(data.start) - 1
        self.fold = np.random.default_rng([seed, folds]).integers(0, folds, users)
        self._kernels = [RatingKernel(data, np.flatnonzero(self.fold != f), seed) for f in range(folds)]

    def learn(self) -> None:
        """All steps of each kernel."""
        bar = tqdm(total=self._steps * len(self._kernels), desc="rating kernels", unit="step", disable=None)
        with bar:
            for kernel in self._kernels:
                for _ in range(self._steps):
                    kernel.step()
                    bar.update()

    def save(self, path: Path) -> None:
        """Keep what was learnt; renamed when written, so the file is whole or not there."""
        path.parent.mkdir(parents=True, exist_ok=True)
        arrays = {f"{n}{f}": getattr(k, n) for f, k in enumerate(self._kernels) for n in _LEARNT}
        draft = path.with_suffix(".draft.npz")
        np.savez(draft, **arrays, about=np.array(self.about))
        draft.replace(path)

    def load(self, path: Path) -> bool:
        """Take over what ``save`` kept, if it was learnt from the same ratings in the same way."""
        if not path.is_file():
            return False
        with np.load(path) as found:
            if "about" not in found or str(found["about"]) != self.about:
                return False
            for f, kernel in enumerate(self._kernels):
                for name in _LEARNT:
                    setattr(kernel, name, found[f"{name}{f}"])
        return True

    def leave_one_out(self, told: Histories, into: Answers) -> None:
        """Answer every rating from the user's other ratings; ``into`` has the histories' rows."""
        bar = tqdm(self.fold.tolist(), desc="ratings left out", unit="user", disable=None)
        for user, fold in enumerate(bar):
            self._kernels[fold].leave_one_out(told, user, into)

    def ask(self, told: Histories, user: IntArray, item: IntArray, into: Answers) -> None:
        """Answer for items not rated, [Q] each, sorted by user: the mean of all kernels' numbers.

        No kernel was told these ratings, so all may answer; the neighbours are those of the user's own fold.
        """
        begin = np.searchsorted(user, np.arange(len(self.fold) + 1))
        numbers = [np.zeros((len(user), len(self._kernels)), np.float32) for _ in _NUMBERS]
        for number, kernel in enumerate(self._kernels):
            found = empty_answers(len(user), into.weights.shape[1])
            for name in tqdm(np.unique(user).tolist(), desc=f"asked, kernel {number}", disable=None):
                rows = slice(int(begin[name]), int(begin[name + 1]))
                kernel.ask(told, name, rows, item[rows], found)
            for place, name in enumerate(_NUMBERS):
                numbers[place][:, number] = getattr(found, name)
            own = self.fold[user] == number
            for name in ("neighbours", "weights", "residuals"):
                getattr(into, name)[own] = getattr(found, name)[own]
        for place, name in enumerate(_NUMBERS):
            getattr(into, name)[:] = numbers[place].mean(axis=1)
