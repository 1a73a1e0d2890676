"""The real recall, rank and recommend over the tiny release, without Redis, Milvus or PaddleServing."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from engine.errors import ReleaseNotLoaded
from engine.predictor import Predictor
from engine.recall.exact import ExactIndex
from engine.recall.filters import LiveSet
from engine.recall.index import VectorIndex
from engine.release import Release
from engine.snapshot import Snapshot
from services.adapters.guarded_predictor import GuardedPredictor
from services.adapters.onnx import OnnxPredictor, OnnxUserTower
from services.adapters.vector_search import GuardedSearch
from services.common.rpc import Breaker
from services.rank.loaded import LoadedRanker
from services.rank.service import RankService
from services.recall.service import RecallService
from services.recommend.fallback import LastGoodList
from services.recommend.service import RecommendService
from services.recommend.snapshots import Snapshots
from tests.support.stand_ins import NOW, Failing, FakeItems, FakeRank, FakeRecall, FakeUsers, NoSnapshots

T = TypeVar("T")


def directly(name: str, port: T) -> T:
    """The port itself."""
    return port


through: Callable[[str, Any], Any] = directly
"""How `fake_path` has a service called: by its name and port; a test may replace it."""


class OneRelease:
    """A release store with one release in it."""

    def __init__(self, name: str, loaded: object) -> None:
        self.name, self.loaded = name, loaded

    def get(self, name: str = "") -> object:
        if name not in ("", self.name):
            raise ReleaseNotLoaded(f"release {name!r} is not loaded here")
        return self.loaded


@dataclass
class LiveNow:
    """Availability that the test sets."""

    current: LiveSet = field(default_factory=lambda: LiveSet(0, None))


class BrokenIndex(Failing):
    """A vector index that can be told to fail. Implements `VectorIndex`."""

    def __init__(self, vectors: np.ndarray) -> None:
        super().__init__()
        self._exact = ExactIndex(vectors)

    def open(self) -> None:
        self._called("open")

    def close(self) -> None:
        """Nothing is held."""

    def ready(self) -> bool:
        return self.error is None

    def search(self, vector: np.ndarray, top_k: int, timeout_s: float) -> tuple[np.ndarray, np.ndarray]:
        self._called(top_k)
        return self._exact.search(vector, top_k, timeout_s)


def load_snapshot(release: Release, index: VectorIndex, exact_limit: int) -> Snapshot:
    """The release with its user tower, and `index`, for which exact search over up to `exact_limit` items
    stands in."""
    search = GuardedSearch(index, release.vectors, exact_limit, Breaker(failures=1, probe_s=1.0))
    return Snapshot.of(release, OnnxUserTower(release.user_tower_onnx), search)


def real_recall(
    folder: Path, index: VectorIndex | None = None, live: LiveNow | None = None, exact_limit: int = 1_000
) -> RecallService:
    """Recall over the release in `folder`, searching exactly unless told otherwise."""
    release = Release.load(folder)
    loaded = load_snapshot(release, index or ExactIndex(release.vectors), exact_limit)
    return RecallService(OneRelease(release.name, loaded), live or LiveNow())  # type: ignore[arg-type]


def real_rank(folder: Path, predictor: Predictor | None = None) -> RankService:
    """Rank over the release in `folder`, by ONNX unless told otherwise."""
    release = Release.load(folder)

    def onnx() -> Predictor:
        opened = OnnxPredictor(release.rank_onnx, release.name)
        opened.open()
        return opened

    ranker = LoadedRanker(release, GuardedPredictor(predictor or onnx(), onnx))
    return RankService(OneRelease(release.name, ranker))  # type: ignore[arg-type]


@dataclass
class RequestPath:
    """Recommend and the four services it asks."""

    users: FakeUsers
    items: FakeItems
    recommend: RecommendService
    fallback: LastGoodList


def real_path(
    folder: Path,
    deadline_s: float = 5.0,
    predictor: Predictor | None = None,
    rank: RankService | None = None,
) -> RequestPath:
    """The real recommend, recall and rank over a release, with stand-ins for what Redis holds."""
    release = Release.load(folder)
    users, items, recall = FakeUsers(), FakeItems(release.catalogue()), real_recall(folder)
    snapshots = Snapshots(OneRelease(release.name, Snapshot.of(release)))  # type: ignore[arg-type]
    fallback = LastGoodList(recall, snapshots.popular)
    service = RecommendService(
        users,
        items,
        recall,
        rank or real_rank(folder, predictor),
        snapshots,
        fallback,
        deadline_s=deadline_s,
        clock_ms=lambda: NOW,
    )
    return RequestPath(users, items, service, fallback)


def fake_path(
    recall: FakeRecall, rank: FakeRank | None = None, deadline_s: float = 5.0
) -> tuple[RequestPath, FakeRank]:
    """Recommend over stand-ins only, each called by way of `through`."""
    users, items, ranker = FakeUsers(), FakeItems(), rank or FakeRank()
    asked = through("recall", recall)
    fallback = LastGoodList(asked, lambda: None)
    service = RecommendService(
        through("user", users),
        through("item", items),
        asked,
        through("rank", ranker),
        NoSnapshots(),
        fallback,
        deadline_s=deadline_s,
        clock_ms=lambda: NOW,
    )
    return RequestPath(users, items, service, fallback), ranker
