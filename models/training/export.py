"""From trained networks to what serving reads: Paddle's inference format, PaddleServing's layout and ONNX.

Each exported file is run on real inputs in batches of several sizes and compared with the network itself.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from engine.features import Feed
from engine.folded import FoldedRanker
from models.paddle import paddle
from models.training.serving_layout import ServingVar, write_serving_layout

Feeds = Mapping[str, npt.NDArray[Any]]

TOLERANCE = 1e-5
_OPSET = 17
_BATCHES = (1, 2, 37)  # besides the whole


class ExportError(Exception):
    """An exported model does not compute what the trained one does; the message says how far off."""


def export_network(layer: Any, sample: Feeds, folder: Path, output: str) -> dict[str, Any]:
    """Write ``model.json``, ``model.pdiparams`` and ``model.onnx`` and check them on the sample.

    The layer takes its feeds by name. ``sample``: feeds, first dimension the batch. Returns the
    manifest's entry: feeds and fetches (shape without the batch), and the largest difference of each format.
    Raises ExportError if one is over 1e-5.
    """
    import paddle2onnx  # noqa: PLC0415 - imports Paddle, which models.paddle must do first

    folder.mkdir(parents=True, exist_ok=True)
    layer.eval()
    # Before to_static, which puts the compiled graph in the layer's place.
    with paddle.no_grad():
        expected = layer({name: paddle.to_tensor(values) for name, values in sample.items()}).numpy()
    specs: dict[str, Any] = {
        name: paddle.static.InputSpec([None, *values.shape[1:]], values.dtype.type, name)
        for name, values in sample.items()
    }
    with _quiet():
        static = paddle.jit.to_static(layer, input_spec=[specs], full_graph=True)
        paddle.jit.save(static, str(folder / "model"))
        paddle2onnx.export(
            str(folder / "model.json"),
            str(folder / "model.pdiparams"),
            str(folder / "model.onnx"),
            opset_version=_OPSET,
            verbose=False,
            optimize_tool="none",  # the default installs packages by itself, over the network
        )
    for leftover in folder.glob("model.pdmodel*"):
        leftover.unlink()
    fetch, run_paddle = paddle_runner(folder)
    differences = {
        "paddle": _compare(run_paddle, sample, expected, folder / "model.json"),
        "onnx": _compare(onnx_runner(folder / "model.onnx"), sample, expected, folder / "model.onnx"),
    }
    feeds = [Feed(name, values.dtype, values.shape[1:]).to_json() for name, values in sample.items()]
    fetches = [{"name": fetch, "alias": output, "dtype": "float32", "shape": list(expected.shape[1:])}]
    return {"feeds": feeds, "fetches": fetches, "max_difference": differences}


def export_folded(layer: Any, folded: FoldedRanker, sample: Feeds, folder: Path) -> float:
    """Write a ranker's folded form into a new folder and check it on the sample; the largest difference.

    Raises ExportError if it is over 1e-5.
    """
    layer.eval()
    with paddle.no_grad():
        expected = layer({name: paddle.to_tensor(values) for name, values in sample.items()}).numpy()
    folded.save(folder)
    written = FoldedRanker.load(folder)
    return _compare(lambda feeds: written.probabilities(*feeds.values()), sample, expected, folder)


def serving_layout(folder: Path, out: Path, entry: dict[str, Any]) -> None:
    """PaddleServing's own folder of an exported network; ``entry`` as ``export_network`` gave it."""
    feeds = [ServingVar(v["name"], v["dtype"], tuple(v["shape"])) for v in entry["feeds"]]
    fetches = [ServingVar(v["name"], v["dtype"], tuple(v["shape"]), v["alias"]) for v in entry["fetches"]]
    write_serving_layout(folder, out, feeds, fetches)


def onnx_runner(path: Path) -> Any:
    """A function from feeds to the model's first output, on ONNX Runtime with one thread."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3  # errors; constants that the converter left over are none
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return lambda feeds: session.run(None, feeds)[0]


def paddle_runner(folder: Path) -> tuple[str, Any]:
    """The output's name, and a function from feeds to it, on paddle.inference."""
    config = paddle.inference.Config(str(folder / "model.json"), str(folder / "model.pdiparams"))
    config.disable_gpu()
    config.disable_glog_info()
    with _quiet():
        predictor = paddle.inference.create_predictor(config)
    output = predictor.get_output_names()[0]

    def run(feeds: Feeds) -> npt.NDArray[Any]:
        for name in predictor.get_input_names():
            predictor.get_input_handle(name).copy_from_cpu(np.ascontiguousarray(feeds[name]))
        with _quiet():
            predictor.run()
        return np.asarray(predictor.get_output_handle(output).copy_to_cpu())

    return output, run


def _compare(run: Any, sample: Feeds, expected: npt.NDArray[Any], file: Path) -> float:
    worst = 0.0
    for size in (*_BATCHES, len(expected)):
        found = run({name: values[:size] for name, values in sample.items()})
        wanted = expected[:size]
        if found.shape != wanted.shape:
            raise ExportError(f"{file}: a batch of {size} gives shape {found.shape}, not {wanted.shape}")
        worst = max(worst, float(np.abs(found - wanted).max(initial=0.0)))
    if not worst <= TOLERANCE:
        raise ExportError(
            f"{file}: differs from the trained network by {worst:.2e}, more than {TOLERANCE:.0e}"
        )
    return worst


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the converters' C++ chatter, which no setting turns off, out of the terminal."""
    kept = [os.dup(1), os.dup(2)]
    with Path(os.devnull).open("w") as nowhere:
        try:
            os.dup2(nowhere.fileno(), 1)
            os.dup2(nowhere.fileno(), 2)
            yield
        finally:
            for number, copy in zip((1, 2), kept, strict=True):
                os.dup2(copy, number)
                os.close(copy)
