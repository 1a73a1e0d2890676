"""The floor of a recommendation: what the arithmetic alone costs, in one process and without any RPC.

User tower + exact inner-product top-k + DeepFM over the candidates, the release's own model files in ONNX
Runtime, one thread. Nothing that serves the same models on the same processor can be faster than this.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.features import Feeds, UserContext
from engine.release import Release


@dataclass(frozen=True)
class Prepared:
    """One shopper's ready arrays: what the floor is not asked to build."""

    tower: Feeds
    rank: Feeds


class Floor:
    """The networks and the vectors of one release.

    `run(prepared)` starts from ready arrays; `run_encoding(context)` builds the features too.
    """

    def __init__(self, release: Release, candidates: int = 200) -> None:
        self.release, self.candidates = release, candidates
        self.vectors: npt.NDArray[np.float32] = np.array(release.vectors)
        self.tower = _session(release.user_tower_onnx)
        self.ranker = _session(release.rank_onnx)

    def prepare(self, context: UserContext) -> Prepared:
        """The arrays of one shopper: tower feeds, and rank feeds of that shopper's own candidates."""
        tower = self.release.encoder.user_tower(context)
        return Prepared(tower, self.release.encoder.rank(context, self._search(tower)))

    def run(self, prepared: Prepared) -> npt.NDArray[np.int64]:
        """Positions of the candidates, best first, from ready arrays."""
        self._search(prepared.tower)
        scores = self.ranker.run(None, prepared.rank)[0].ravel()
        return np.argsort(-scores, kind="stable")

    def run_encoding(self, context: UserContext) -> npt.NDArray[np.int64]:
        """Rows of the items, best first, from a context: the floor and the features."""
        encoder = self.release.encoder
        past = encoder.summary(context)
        rows = self._search(encoder.user_tower(context, past))
        scores = self.ranker.run(None, encoder.rank(context, rows, past))[0].ravel()
        return rows[np.argsort(-scores, kind="stable")]

    def _search(self, tower: Feeds) -> npt.NDArray[np.int64]:
        user = self.tower.run(None, tower)[0].ravel()
        scores = self.vectors @ user
        top = np.argpartition(-scores, self.candidates)[: self.candidates]
        return top[np.argsort(-scores[top], kind="stable")].astype(np.int64)


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; constants that the converter left over are none
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def saturate(release_dir: str, contexts: list[UserContext], candidates: int, seconds: float) -> int:
    """Run the floor on ready arrays for so long; returns the runs. For one process per core."""
    floor = Floor(Release.load(release_dir, verify=False), candidates)
    prepared = [floor.prepare(context) for context in contexts]
    for one in prepared:
        floor.run(one)
    runs, end = 0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        floor.run(prepared[runs % len(prepared)])
        runs += 1
    return runs
