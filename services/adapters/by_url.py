"""The one place where a URL chooses what a stage asks: the ranker's network.

    onnx://              ONNX Runtime in this process, `rank/model.onnx` of the release
    serving://host:port  a PaddleServing pipeline server (`python -m services.rank.serving`)

Both give the same probabilities within 1e-5 for the same feeds. Libraries are imported by the openers, so
that a process with one kind never loads those of the other.
"""

from __future__ import annotations

import re
from pathlib import Path

from engine.predictor import Predictor
from services.adapters.guarded_predictor import GuardedPredictor


def open_predictor(url: str, release_dir: Path, release: str, *, threads: int = 1) -> Predictor:
    """An open predictor for one release.

    Args:
        url: `onnx://` or `serving://host:port`.
        release_dir: the release's folder; `onnx://` reads `rank/model.onnx` there.
        release: its name.
        threads: for one run in process; PaddleServing has its own setting.

    Raises:
        ValueError: an unknown URL.
        PredictorUnavailable: the model cannot be loaded. A PaddleServing that is away is not an error here:
            it may come back at any time, and `predict` says so until then.
    """
    predictor: Predictor
    if url == "onnx://":
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
