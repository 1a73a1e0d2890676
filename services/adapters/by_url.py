"""The one place where a URL chooses what the stages ask.

    index      exact://             exact search in this process over the release's own vectors
               milvus://host:port   the release's collection in Milvus; http:// is the same, https:// with TLS
    tower      onnx://              ONNX Runtime in this process, the release's user tower
    predictor  onnx://              in this process: `rank/model.onnx` of the release by ONNX Runtime, or its
                                    folded form by the compiled kernels, where both are there
               serving://host:port  a PaddleServing pipeline server (`python -m services.rank.serving`)

Both predictors give the same probabilities within 1e-5 for the same feeds. Libraries are imported by the
openers, so that a process with one kind never loads those of the other.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine import kernels
from engine.folded import FOLDER
from engine.predictor import Predictor
from engine.recall.exact import ExactSearch
from engine.release import Release
from engine.snapshot import UserTower, VectorSearch
from services.adapters.guarded_predictor import GuardedPredictor
from services.adapters.vector_search import GuardedSearch
from services.common.rpc.breaker import Breaker


def open_search(url: str, release: Release, exact_limit: int, token: str = "") -> VectorSearch:
    """Vector search over one release; connects at the first search.

    Args:
        url: of the index.
        exact_limit: most items for which exact search stands in for an index that is away.
        token: what Milvus asks its callers for.

    Raises:
        ValueError: an unknown URL.
    """
    if url == "exact://":
        return ExactSearch(release.vectors)
    if not re.match(r"(milvus|https?)://", url):
        raise ValueError(f"index URL {url!r}: write exact:// or milvus://host:port")
    from services.adapters.milvus.collection import Description  # noqa: PLC0415
    from services.adapters.milvus.index import MilvusIndex  # noqa: PLC0415

    rows, dim = release.vectors.shape
    expected = Description(release.name, release.schema.fingerprint(), dim=dim, rows=rows)
    index = MilvusIndex(re.sub(r"^milvus://", "http://", url), expected, token=token)
    return GuardedSearch(index, release.vectors, exact_limit, Breaker(failures=1, probe_s=1.0))


def open_tower(url: str, release: Release) -> UserTower:
    """The user tower of one release. ValueError: an unknown URL."""
    if url != "onnx://":
        raise ValueError(f"tower URL {url!r}: write onnx://")
    from services.adapters.onnx import OnnxUserTower  # noqa: PLC0415

    return OnnxUserTower(release.user_tower_onnx)


def open_predictor(url: str, release_dir: Path, release: str, *, threads: int = 1) -> Predictor:
    """An open predictor for one release.

    Args:
        url: `onnx://` or `serving://host:port`.
        release_dir: the release's folder; `onnx://` reads `rank/model.onnx` or `rank/folded` there.
        release: its name.
        threads: for one run in process; PaddleServing has its own setting.

    Raises:
        ValueError: an unknown URL.
        PredictorUnavailable: the model cannot be loaded. A PaddleServing that is away is not an error here:
            it may come back at any time, and `predict` says so until then.
    """
    predictor: Predictor
    if url == "onnx://" and kernels.loaded() and (folded := release_dir / "rank" / FOLDER).is_dir():
        from services.adapters.folded import FoldedPredictor  # noqa: PLC0415

        predictor = FoldedPredictor(folded, release)
    elif url == "onnx://":
        from services.adapters.onnx import OnnxPredictor  # noqa: PLC0415

        predictor = OnnxPredictor(release_dir / "rank" / "model.onnx", release, threads=threads)
    elif re.fullmatch(r"serving://\S+:\d+", url):
        from services.adapters.serving import ServingPredictor  # noqa: PLC0415

        predictor = ServingPredictor(url.removeprefix("serving://"), release)
    else:
        raise ValueError(f"ranker URL {url!r}: write onnx:// or serving://host:port")
    predictor.open()
    return predictor


def guarded_predictor(url: str, release_dir: Path, release: str) -> Predictor:
    """The same behind a breaker, bridged by the release's ONNX model while it serves another release."""
    return GuardedPredictor(
        open_predictor(url, release_dir, release), lambda: open_predictor("onnx://", release_dir, release)
    )
