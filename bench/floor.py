"""The floor of a recommendation: what the arithmetic alone costs, in one process and without any RPC.

User tower + exact inner-product top-k + DeepFM over the candidates, one thread, from ready arrays. As is, the
release's own model files run in ONNX Runtime: no service of the same models on the same processor can be
faster, unless it computes them in another way. With the kernels, the ranker is the release's folded form.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine import kernels
from engine.features import Feeds, UserContext
from engine.folded import FOLDER, FoldedRanker
from engine.release import Release


@dataclass(frozen=True)
class Prepared:
    """One shopper's ready arrays: what the floor is not asked to build."""

    tower: Feeds
    rank: Feeds


class Floor:
    """The networks and the vectors of one release.

    `run(prepared)` starts from ready arrays; `run_encoding(context)` builds the features too, by the compiled
    kernels where this process has loaded them.

    Args:
        folded: rank by the folded form; `has_folded` says whether that can be done.
    """

    def __init__(self, release: Release, candidates: int = 200, *, folded: bool = False) -> None:
        self.release, self.candidates = release, candidates
        self.vectors: npt.NDArray[np.float32] = np.array(release.vectors)
        self.tower = _session(release.user_tower_onnx)
        self.ranker = _session(release.rank_onnx)
        self.folded = FoldedRanker.load(_folder(release)) if folded else None

    def prepare(self, context: UserContext) -> Prepared:
        """The arrays of one shopper: tower feeds, and rank feeds of that shopper's own candidates."""
        tower = self.release.encoder.user_tower(context)
        return Prepared(tower, self.release.encoder.rank(context, self._search(tower)))

    def run(self, prepared: Prepared) -> npt.NDArray[np.int64]:
        """Positions of the candidates, best first, from ready arrays."""
        self._search(prepared.tower)
        return np.argsort(-self._scores(prepared.rank), kind="stable")

    def run_encoding(self, context: UserContext) -> npt.NDArray[np.int64]:
        """Rows of the items, best first, from a context: the floor and the features."""
        encoder, context = self.release.encoder, replace(context)  # a context keeps its summary
        past = encoder.summary(context)
        rows = self._search(encoder.user_tower(context, past))
        return rows[np.argsort(-self._scores(encoder.rank(context, rows, past)), kind="stable")]

    def _scores(self, feeds: Feeds) -> npt.NDArray[np.float32]:
        if self.folded is not None:
            return self.folded.probabilities(*feeds.values())  # type: ignore[arg-type]
        scores: npt.NDArray[np.float32] = self.ranker.run(None, feeds)[0].ravel()
        return scores

    def _search(self, tower: Feeds) -> npt.NDArray[np.int64]:
        user = self.tower.run(None, tower)[0].ravel()
        scores = self.vectors @ user
        count = min(self.candidates, len(scores) - 1)
        top = np.argpartition(-scores, count)[:count]
        return top[np.argsort(-scores[top], kind="stable")].astype(np.int64)


def has_folded(release: Release) -> bool:
    """Whether the release has a folded ranker and this process the kernels to run it."""
    return _folder(release).is_dir() and kernels.load()


def saturate(
    release_dir: str, contexts: list[UserContext], candidates: int, seconds: float, folded: bool = False
) -> tuple[int, float]:
    """Run the floor on ready arrays for so long, in one process per core; returns the runs and the seconds of
    processor time that they took."""
    release = Release.load(release_dir, verify=False)
    floor = Floor(release, candidates, folded=folded and has_folded(release))
    prepared = [floor.prepare(context) for context in contexts]
    for one in prepared:
        floor.run(one)
    runs, began, end = 0, time.process_time(), time.perf_counter() + seconds
    while time.perf_counter() < end:
        floor.run(prepared[runs % len(prepared)])
        runs += 1
    return runs, time.process_time() - began


def _folder(release: Release) -> Path:
    return release.rank_onnx.parent / FOLDER


def _session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # errors; constants that the converter left over are none
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
