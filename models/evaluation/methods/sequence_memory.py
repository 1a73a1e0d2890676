"""A sequence tower with a memory: what was taken together with the user's newest items counts too.

    score(u, i)  = standard(<user(u), item(i)>) + weight · standard(memory(u, i))
    memory(u, i) = sum over the items j of u's history of 0.5^(age of j / half-life) · similar(j, i)

``similar``: ItemKNN's; ``age``: how many items were taken after j (decay of a session's items as in Ludewig
& Jannach, "Evaluation of Session-based Recommendation Algorithms", UMUAI 2018). ``standard``: each user's
scores over the catalogue less their mean, over their standard deviation (fusion of normalised scores: Bruch
et al., "An Analysis of Fusion Functions for Hybrid Retrieval", TOIS 2023). Vectors of some dozen numbers keep
what many items have in common and lose the pairs of which a few takers tell; the memory holds those. It is
an evaluation's method: a release has no index that searches by both at once.

Legend: B users, N items.
"""

from __future__ import annotations

import functools
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt
import scipy.sparse
from rich.console import Console

from models.evaluation.methods.baselines.neighbours import ItemKnn
from models.evaluation.methods.baselines.tuning import Chosen, Grid, Settings, choose
from models.evaluation.ranking import per_user, top_k
from models.evaluation.sequences import IntArray, LeaveOneOut, Taken, split

WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 6.4)  # 0: the tower alone; 6.4: hardly the tower
HALF_LIVES = (1000.0, 10.0, 5.0, 2.5, 1.2)  # in items; 1000: hardly any fading
_CHOOSING_USERS = 3000
_PLACES = 10

Scores = npt.NDArray[np.floating[Any]]


class Scorer(Protocol):
    """What scores all items for users of a split that it was fitted to."""

    def fit(self, found: LeaveOneOut, seed: int, console: Console) -> None:
        """Learn from ``found``'s past."""

    def scores(self, users: IntArray) -> Scores:
        """[B, N]"""
        ...


class Memory:
    """ItemKNN's scores with the user's items fading by age; without end to the half-life just ItemKNN's."""

    def fit(self, found: LeaveOneOut, seed: int) -> None:
        """Similarities from all that is known."""
        knn: Any = ItemKnn()  # reads no more of a split than what was taken
        knn.fit(Taken(found.seen), seed)
        self._similar, self._known, self._n_items = knn.similar, found.known, found.data.n_items

    def scores(self, users: IntArray, half_life: float) -> Scores:
        """[B, N]"""
        histories = [self._known[user] for user in users]
        line = np.repeat(np.arange(len(users)), [len(history) for history in histories])
        age = np.concatenate([np.arange(len(history))[::-1] for history in histories])
        pair, newest = np.unique(line * self._n_items + np.concatenate(histories), return_inverse=True)
        weight = np.zeros(len(pair), np.float32)  # an item taken again counts by its newest time
        np.maximum.at(weight, newest, np.exp2(-age / half_life, dtype=np.float32))
        shape = (len(users), self._n_items)
        taken = scipy.sparse.csr_matrix((weight, (pair // self._n_items, pair % self._n_items)), shape)
        return np.asarray((taken @ self._similar).toarray())


class SequenceWithMemory:
    """Two methods in one; weight and half-life are chosen on the validation items."""

    def __init__(self, tower: Scorer, chooser: Scorer, weight: float | None = None) -> None:
        """``chooser``: a tower that has not learnt from the validation items, asked with what is before them
        to choose. ``weight``: given, only the half-life is chosen."""
        self._tower, self._chooser = tower, chooser
        self._weights = WEIGHTS if weight is None else (weight,)
        self.settings: Settings = {}
        self.tried: list[tuple[Settings, float]] = []  # with N@10 of what is new to some validation users

    def fit(self, found: LeaveOneOut, seed: int, console: Console) -> None:
        """The settings, then both on all that comes before the target."""
        chosen = self._chosen(found, seed, console)
        self.settings, self.tried = chosen.settings, chosen.tried
        self._tower.fit(found, seed, console)
        self._memory = Memory()
        self._memory.fit(found, seed)

    def scores(self, users: IntArray) -> Scores:
        """[B, N]"""
        memory = standard(self._memory.scores(users, self.settings["half_life"]))
        weight: float = self.settings["weight"]
        return standard(self._tower.scores(users)) + weight * memory

    def _chosen(self, found: LeaveOneOut, seed: int, console: Console) -> Chosen:
        held = split(found.data, "validation")
        self._chooser.fit(held, seed, console)
        users = np.sort(np.random.default_rng(seed).permutation(held.fresh)[:_CHOOSING_USERS])
        memory = Memory()
        memory.fit(held, seed)
        tower = standard(self._chooser.scores(users))
        fading = functools.lru_cache(1)(lambda half_life: standard(memory.scores(users, half_life)))
        seen, truth = held.seen[users].nonzero(), held.truth[users]

        def value_of(settings: Settings) -> float:
            both = tower + settings["weight"] * fading(settings["half_life"])
            both[seen] = -np.inf
            return float(per_user(top_k(both, _PLACES), truth, _PLACES)["ndcg_at_10"].mean())

        return choose(
            "memory", Grid({}, [{"half_life": HALF_LIVES, "weight": self._weights}]), value_of, console
        )


def standard(scores: Scores) -> npt.NDArray[np.float32]:
    """Each line less its mean, over its standard deviation; equal scores are zeros."""
    near = np.asarray(scores, np.float32)
    near = near - near.mean(axis=1, keepdims=True)
    return np.asarray(near / np.maximum(near.std(axis=1, keepdims=True), 1e-9), np.float32)
