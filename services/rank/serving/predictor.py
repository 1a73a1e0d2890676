"""Paddle behind PaddleServing's own interfaces: its `LocalPredictor`, taught the model format of Paddle 3."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import google.protobuf.text_format
import numpy as np
import paddle.inference
from paddle_serving_app.local_predict import LocalPredictor
from paddle_serving_app.proto import general_model_config_pb2

from engine.features.feeds import Feed
from services.rank.serving.batching import BATCH_SIZES

CONFIG = "serving_server_conf.prototxt"
_ELEMENT_TYPES = {0: "int64", 1: "float32", 2: "int32"}


class BadModel(RuntimeError):
    """A model folder that is incomplete, does not match the manifest, or that Paddle cannot load."""


class PirPredictor(LocalPredictor):  # type: ignore[misc]  # the wheel has no types
    """PaddleServing's predictor; only loading is ours.

    Stock `load_model_config` looks for `*.pdmodel`, which Paddle 3 no longer writes, leaves the new executor
    off (half as fast), and on failure kills the whole process group instead of raising.
    """

    def load(self, model_dir: Path, threads: int) -> None:
        """Read the folder's feeds and fetches and create the predictor.

        Args:
            model_dir: `serving_server_conf.prototxt`, `*.json` and `*.pdiparams`.
            threads: of Paddle's math library for one run.

        Raises:
            BadModel: one line that says what is wrong.
        """
        config = _read_config(model_dir / CONFIG)
        self.feed_names_ = [feed.alias_name for feed in config.feed_var]
        self.fetch_names_ = [fetch.alias_name for fetch in config.fetch_var]
        self.feed_types_ = {feed.alias_name: feed.feed_type for feed in config.feed_var}
        self.feed_shapes_ = {feed.alias_name: list(feed.shape) for feed in config.feed_var}
        try:
            self.predictor = paddle.inference.create_predictor(_paddle_config(model_dir, threads))
        except Exception as error:  # Paddle raises RuntimeError, ValueError and its own kinds, undocumented
            raise BadModel(f"Paddle cannot load the model in {model_dir}: {_last_line(error)}") from error
        if missing := sorted(set(self.predictor.get_input_names()) - set(self.feed_names_)):
            raise BadModel(f"{model_dir / CONFIG} lacks the model's inputs {', '.join(missing)}")

    def require_feeds(self, expected: tuple[Feed, ...]) -> None:
        """Raise `BadModel` unless the folder's feeds are the manifest's."""
        mine = {
            name: (_ELEMENT_TYPES.get(self.feed_types_[name]), tuple(self.feed_shapes_[name]))
            for name in self.feed_names_
        }
        theirs = {feed.name: (feed.dtype.name, feed.shape) for feed in expected}
        if mine != theirs:
            raise BadModel(f"the model's feeds {mine} are not the manifest's {theirs}: export again")

    def warm_up(self, expected: tuple[Feed, ...]) -> None:
        """Run each batch size once on zeros (the bucket "unknown"), so that no request pays for compiling.

        Raises:
            BadModel: the model loads but does not run.
        """
        for size in BATCH_SIZES:
            feeds = {feed.name: np.zeros((size, *feed.shape), feed.dtype) for feed in expected}
            try:
                self.predict(feeds, fetch=list(self.fetch_names_), batch=True)
            except Exception as error:  # as above
                raise BadModel(
                    f"the model does not run on {size} rows of zeros: {_last_line(error)}"
                ) from error


class PredictorHandler:
    """What PaddleServing asks of a `LocalServiceHandler`, for a predictor that is already loaded."""

    def __init__(self, predictor: PirPredictor, model_dir: Path) -> None:
        self._predictor = predictor
        self._model_dir = model_dir

    def prepare_server(self) -> None:
        """Nothing to prepare: no second server is started."""

    def start_server(self) -> None:
        """Nothing to start, likewise."""

    def get_port_list(self) -> list[int]:
        """Ports of further servers: none."""
        return []

    def get_client_config(self) -> str:
        """Path of the description of feeds and fetches."""
        return str(self._model_dir / CONFIG)

    def get_fetch_list(self) -> list[str]:
        """Names of the model's outputs."""
        return list(self._predictor.fetch_names_)

    def get_client(self, concurrency_idx: int) -> PirPredictor:
        """The predictor. There is one: PaddleServing's threads would share it and mix up answers."""
        return self._predictor


def _last_line(error: Exception) -> str:
    """The reason in one of Paddle's messages, which begin with a C++ stack."""
    lines = str(error).strip().splitlines()
    return lines[-1].strip() if lines else type(error).__name__


def _read_config(path: Path) -> Any:
    try:
        text = path.read_text(encoding="utf-8")
        return google.protobuf.text_format.Parse(text, general_model_config_pb2.GeneralModelConfig())
    except OSError as error:
        raise BadModel(f"cannot read {path}: {error.strerror}") from error
    except (UnicodeDecodeError, google.protobuf.text_format.ParseError) as error:
        raise BadModel(f"{path}: not a PaddleServing model description: {error}") from error


def _paddle_config(model_dir: Path, threads: int) -> Any:
    files = []
    for suffix in (".json", ".pdiparams"):
        found = sorted(model_dir.glob(f"*{suffix}"))
        if len(found) != 1:
            raise BadModel(f"{model_dir} holds {len(found)} *{suffix} files, one is needed")
        files.append(str(found[0]))
    config = paddle.inference.Config(*files)
    config.disable_gpu()
    config.disable_glog_info()
    config.enable_new_ir(True)
    config.enable_new_executor(True)
    config.enable_mkldnn()
    config.set_cpu_math_library_num_threads(threads)
    return config
