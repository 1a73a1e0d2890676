"""The networks of a release in this process, by ONNX Runtime: the user tower and the ranker."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_errors

from engine.predictor import BadFeeds, Feeds, PredictorUnavailable, as_probabilities, count_rows
from engine.recall.index import Vector

_LOAD_ERRORS = (ort_errors.Fail, ort_errors.InvalidProtobuf, ort_errors.NoSuchFile, ort_errors.InvalidGraph)
_QUIET = 4  # ONNX Runtime's own log: fatal only, since failures are raised


class OnnxUserTower:
    """The user tower in ONNX Runtime, on one thread: the calling one."""

    def __init__(self, path: Path) -> None:
        self._session = _session(path)
        self._inputs = [entry.name for entry in self._session.get_inputs()]

    def encode(self, feeds: Mapping[str, npt.NDArray[np.generic]]) -> Vector:
        """float32 [D], L2-normalised."""
        vector: Vector = self._session.run(None, {name: feeds[name] for name in self._inputs})[0][0]
        return vector / max(float(np.linalg.norm(vector)), 1e-12)


class OnnxPredictor:
    """Runs `model.onnx` on the calling thread, without the GIL.

    Needs no padding: ONNX Runtime keeps no state for a batch size.
    """

    def __init__(self, path: Path, release: str, threads: int = 1) -> None:
        """Args:
        path: the model file.
        release: the release it belongs to.
        threads: for one run; 1 is best when requests come at once.
        """
        self.release = release
        self._path = path
        self._threads = threads
        self._session: ort.InferenceSession | None = None

    def open(self) -> None:
        """Load the model (about 0.3 s). Raises `PredictorUnavailable` if it cannot be loaded."""
        try:
            self._session = _session(self._path, self._threads)
        except _LOAD_ERRORS as error:
            reason = str(error).splitlines()[0]
            raise PredictorUnavailable(f"cannot load {self._path}: {reason}") from error

    def close(self) -> None:
        """Drop the model; runs in progress finish."""
        self._session = None

    def predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`. A run cannot be interrupted: `timeout_s` is checked only before it."""
        session = self._session
        if session is None:
            raise PredictorUnavailable("the ONNX ranker is not open")
        if timeout_s <= 0:
            raise PredictorUnavailable("no time left to rank")
        rows = count_rows(feeds)
        try:
            output = session.run(None, dict(feeds))[0]
        except (ort_errors.InvalidArgument, ValueError) as error:  # ValueError: a missing feed
            raise BadFeeds(str(error).splitlines()[0]) from error
        except (ort_errors.RuntimeException, ort_errors.Fail) as error:
            raise PredictorUnavailable(f"ONNX Runtime failed: {str(error).splitlines()[0]}") from error
        return as_probabilities(output, rows)


def _session(path: Path, threads: int = 1) -> ort.InferenceSession:
    options = ort.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.log_severity_level = _QUIET
    return ort.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
