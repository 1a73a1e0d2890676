"""A release made ready for recall, with the adapters that its stages ask."""

from __future__ import annotations

from engine.recall.index import VectorIndex
from engine.release import Release
from engine.snapshot import Snapshot
from services.adapters.onnx import OnnxUserTower
from services.adapters.vector_search import GuardedSearch
from services.common.rpc.breaker import Breaker


def load_snapshot(release: Release, index: VectorIndex, exact_limit: int) -> Snapshot:
    """The release with its user tower in ONNX Runtime and `index`, for which exact search over up to
    `exact_limit` items stands in."""
    search = GuardedSearch(index, release.vectors, exact_limit, Breaker(failures=1, probe_s=1.0))
    return Snapshot.of(release, OnnxUserTower(release.user_tower_onnx), search)
