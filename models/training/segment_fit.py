"""Estimates what each value of a profile does to each item: ``engine/recall/segments.py`` says what for.

    y[u, i] = 1 - exp(- Σ_events weight · 2^(-age / 21 days))            has u bought i lately, 0 … 1
    effects = (Xᵀ X + λ I)⁻¹ Xᵀ y,      X: indicators of the values, centred within each feature

Ridge regression (Hoerl & Kennard, 1970). The effects of all values are estimated together: features that say
nearly the same, as the size and the composition of a household, then share an effect where adding up their
lifts would count it twice. λ is in shoppers: a value with that many gets about half of what they show. What a
profile leaves out is a value of its own, for those who told something else.

Legend: U users, N items, F features, S segments (``feature=value``), M items kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
import scipy.sparse

from engine.recall.segments import Profile, Segments, values_of
from models.training.channels import Purchases

IntArray = npt.NDArray[np.int64]
DoubleArray = npt.NDArray[np.float64]
Sparse: TypeAlias = scipy.sparse.csr_matrix

RIDGE = 100.0
_MIN_MEMBERS, _MAX_SEGMENTS = 5, 256  # a smaller segment says nothing; of more, the largest ones
_HALF_LIFE_DAYS = 21.0
_LIFT_PRIOR = 2.0  # purchases, of as many expected ones: few say little
_BEST_OF_ALL, _BEST_OF_EACH = 2_000, 200  # items kept: a list is made from its best hundreds


def fit_segments(
    purchases: Purchases, profiles: Sequence[Profile], features: Sequence[str], ridge: float = RIDGE
) -> Segments:
    """Estimate base and effects from purchases before their cutoff; ``profiles`` [U]."""
    bought = _bought(purchases)  # [U, N]
    active = np.flatnonzero(np.diff(bought.indptr))
    everybody = _total(bought)  # [N]
    names, member = _members(profiles, features, active)  # [U, S]
    feature = {name: place for place, name in enumerate(features)}
    group = np.array([feature[name.partition("=")[0]] for name in names], np.int64)  # [S]
    one = scipy.sparse.csr_matrix(
        (np.ones(len(names)), (np.arange(len(names)), group)), shape=(len(names), len(features))
    )
    told = (member @ one).sign()  # [U, F]
    volume = (member.T @ bought).toarray()  # [S, N]
    effects = _effects(member, told, volume, (told.T @ bought).toarray(), group, ridge)
    base = everybody / max(len(active), 1)
    # Those who gave a profile may buy more or less than others: the base is brought to their volume.
    theirs = np.flatnonzero(np.diff(told.indptr))
    if len(theirs):
        base *= float(bought[theirs].sum()) / len(theirs) / max(float(base.sum()), 1e-9)
    expected = volume.sum(axis=1, keepdims=True) * everybody / max(float(everybody.sum()), 1e-9)
    lifts = (volume + _LIFT_PRIOR) / (expected + _LIFT_PRIOR)
    kept = _kept(base, effects)
    parts = (part.astype(np.float32) for part in (base[kept], effects[:, kept], lifts[:, kept]))
    return Segments(names, kept, *parts)


def _effects(
    member: Sparse, told: Sparse, volume: DoubleArray, by_feature: DoubleArray, group: IntArray, ridge: float
) -> DoubleArray:
    """[S, N]. X = member - told · mean is dense, so its products are put together from sparse ones."""
    if not len(group):
        return volume
    mean = np.zeros((told.shape[1], member.shape[1]))  # [F, S], each segment's share of those who told
    places = np.arange(len(group))
    mean[group, places] = _total(member) / np.maximum(_total(told)[group], 1.0)
    mixed = (member.T @ told).toarray() @ mean  # [S, S]
    gram = (member.T @ member).toarray() - mixed - mixed.T + mean.T @ (told.T @ told).toarray() @ mean
    moment = volume - mean.T @ by_feature
    effects: DoubleArray = np.linalg.solve(gram + ridge * np.eye(len(group)), moment)
    return effects


def _bought(purchases: Purchases) -> Sparse:
    """y as a sparse matrix [U, N]."""
    decayed = purchases.weight * np.exp2(-purchases.days / _HALF_LIFE_DAYS)
    shape = (purchases.n_users, purchases.n_items)
    matrix = scipy.sparse.coo_matrix((decayed, (purchases.user, purchases.row)), shape=shape).tocsr()
    matrix.data = -np.expm1(-matrix.data)
    return matrix


def _members(
    profiles: Sequence[Profile], features: Sequence[str], active: IntArray
) -> tuple[tuple[str, ...], Sparse]:
    """The names of the largest segments, sorted, and who of the active users belongs to each, [U, S]."""
    found: dict[str, list[int]] = {}
    for user in active.tolist():
        told = {feature: values_of(profiles[user], feature) for feature in features}
        if any(told.values()):
            for feature, parts in told.items():
                for part in parts or [""]:
                    found.setdefault(f"{feature}={part}", []).append(user)
    large = sorted((name for name in found if len(found[name]) >= _MIN_MEMBERS), key=lambda n: -len(found[n]))
    names = tuple(sorted(large[:_MAX_SEGMENTS]))
    users = np.concatenate([np.empty(0, np.int64), *(found[name] for name in names)]).astype(np.int64)
    places = np.repeat(np.arange(len(names)), [len(found[name]) for name in names])
    shape = (len(profiles), len(names))
    return names, scipy.sparse.csr_matrix((np.ones(len(users)), (users, places)), shape=shape)


def _kept(base: DoubleArray, effects: DoubleArray) -> IntArray:
    """Rows of the items that can get near the top of a list: the best of all and of each segment."""
    best = np.argsort(-base, kind="stable")[:_BEST_OF_ALL]
    each = np.argsort(-(base + effects), axis=1, kind="stable")[:, :_BEST_OF_EACH]
    return np.unique(np.concatenate([best, each.ravel()]))


def _total(matrix: Sparse) -> DoubleArray:
    return np.asarray(matrix.sum(axis=0), np.float64).ravel()
