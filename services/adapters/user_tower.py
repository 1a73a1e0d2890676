"""The user tower in this process, by ONNX Runtime."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort

from engine.recall.index import Vector

_QUIET = 4  # ONNX Runtime's own log: fatal only, since failures are raised


class OnnxUserTower:
    """The user tower in ONNX Runtime, on one thread: the calling one."""

    def __init__(self, path: Path) -> None:
        options = ort.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.log_severity_level = _QUIET
        self._session = ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def encode(self, feeds: Mapping[str, npt.NDArray[np.generic]]) -> Vector:
        """float32 [D], L2-normalised."""
        vector: Vector = self._session.run(None, {name: feeds[name] for name in self._inputs})[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)
