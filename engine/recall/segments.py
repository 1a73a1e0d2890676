"""What a profile alone says about each item: popularity, and how each feature's value shifts it.

    score(profile, i) = base[i] + Σ_(values v of the profile) effect[v, i]

Who tells something, but not a certain feature, is in that feature's segment ``feature=``: in surveys, what is
left out says something too. Base and effects are estimated in ``models/training/segment_fit.py``; scoring
needs numpy only.
Legend: N items, S segments (``feature=value``), M items kept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt

from engine.features import canonical

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
DoubleArray = npt.NDArray[np.float64]
Profile = Mapping[str, str | list[str]]


@dataclass(frozen=True)
class Segments:
    """The effects of S segments on M items of the catalogue. Immutable; safe to share between threads."""

    names: tuple[str, ...]
    rows: IntArray  # [M] item rows, ascending
    base: FloatArray  # [M]
    effects: FloatArray  # [S, M]
    lifts: FloatArray  # [S, M] share of the segment's purchases over the share of everybody's, smoothed

    @cached_property
    def _place(self) -> dict[str, int]:
        return {name: place for place, name in enumerate(self.names)}

    @cached_property
    def _features(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(name.partition("=")[0] for name in self.names))

    def of(self, profile: Profile) -> IntArray:
        """The segments that a profile belongs to, as positions in ``names``; none if it tells nothing."""
        told = {feature: values_of(profile, feature) for feature in self._features}
        if not any(told.values()):
            return np.empty(0, np.int64)
        found = [
            self._place.get(f"{name}={part}", -1) for name, parts in told.items() for part in parts or [""]
        ]
        return np.array([place for place in found if place >= 0], np.int64)

    def scores(self, mine: IntArray) -> FloatArray:
        """float32 [M]: the score of each kept item for a shopper of these segments."""
        scores: FloatArray = self.base + self.effects[mine].sum(axis=0)
        return scores

    def ranked(self, profile: Profile, count: int) -> IntArray:
        """Item rows, best first; none for a profile that belongs to no segment."""
        mine = self.of(profile)
        if not len(mine):
            return np.empty(0, np.int64)
        return self.rows[self.best(self.scores(mine), np.arange(len(self.rows)), count)]

    @staticmethod
    def best(scores: FloatArray, allowed: IntArray, count: int) -> IntArray:
        """Positions of the highest scores above zero among those allowed, best first, at most ``count``."""
        order = allowed[np.argsort(-scores[allowed], kind="stable")[:count]]
        return order[scores[order] > 0]

    def reasons(self, mine: IntArray, kept: IntArray) -> IntArray:
        """For each of the kept items at these positions the segment whose effect on it is largest, of those
        that truly buy more of it than everybody does, as a position in ``names``; -1 where none does."""
        if not len(mine) or not len(kept):
            return np.full(len(kept), -1, np.int64)
        part = np.ix_(mine, kept)
        named = np.array([not self.names[place].endswith("=") for place in mine.tolist()])
        effect = np.where((self.lifts[part] > 1.0) & named[:, None], self.effects[part], -np.inf)
        best = effect.argmax(axis=0)
        true = np.isfinite(effect[best, np.arange(len(kept))])
        return np.where(true, mine[best], -1)

    def in_memory(self) -> Segments:
        """The same in arrays of its own, for arrays that are mapped from files."""
        base, effects, lifts = (np.array(part) for part in (self.base, self.effects, self.lifts))
        return Segments(self.names, np.array(self.rows), base, effects, lifts)


def values_of(profile: Profile, feature: str) -> list[str]:
    """The profile's values of a feature, canonical, each once; none where it is unknown."""
    value = profile.get(feature)
    parts = value if isinstance(value, list | tuple) else () if value is None else (value,)
    return [part for part in dict.fromkeys(canonical(part) for part in parts) if part]
