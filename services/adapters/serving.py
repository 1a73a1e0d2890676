"""The ranker behind PaddleServing, over gRPC."""

from __future__ import annotations

import grpc
import numpy as np
import numpy.typing as npt
from paddle_serving import pipeline_service_pb2 as wire

from engine.predictor import (
    BadFeeds,
    Feeds,
    PredictorUnavailable,
    ReleaseMismatch,
    as_probabilities,
    count_rows,
)
from services.rank.serving.tensors import NPY_BYTES, to_npy

_METHOD = "/baidu.paddle_serving.pipeline_serving.PipelineService/inference"
_BAD_REQUEST = 51  # services.rank.serving.ops.BAD_REQUEST; importing that needs PaddleServing's wheels
_MAX_MESSAGE = 64 * 1024 * 1024
_OPTIONS = [
    ("grpc.max_send_message_length", _MAX_MESSAGE),
    ("grpc.max_receive_message_length", _MAX_MESSAGE),
    # gRPC waits up to two minutes before it tries a lost server again; ours is back within seconds.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    # The ranker is on this machine or in the same network, never behind the proxy that downloads go through.
    ("grpc.enable_http_proxy", 0),
    # A name with several addresses is several replicas.
    ("grpc.lb_policy_name", "round_robin"),
]


class ServingPredictor:
    """One channel to a PaddleServing pipeline server, kept for good: it reconnects by itself."""

    def __init__(self, address: str, release: str) -> None:
        """Args:
        address: `host:port`.
        release: the release that must answer.
        """
        self.release = release
        self._address = address
        self._channel: grpc.Channel | None = None
        self._inference: grpc.UnaryUnaryMultiCallable[wire.Request, wire.Response] | None = None

    def open(self) -> None:
        """Make the channel; nothing is sent."""
        self._channel = grpc.insecure_channel(self._address, options=_OPTIONS)
        self._inference = self._channel.unary_unary(
            _METHOD,
            request_serializer=wire.Request.SerializeToString,
            response_deserializer=wire.Response.FromString,
        )

    def close(self) -> None:
        """Close the channel; calls in progress fail with `PredictorUnavailable`."""
        channel, self._channel, self._inference = self._channel, None, None
        if channel is not None:
            channel.close()

    def predict(self, feeds: Feeds, timeout_s: float) -> npt.NDArray[np.float32]:
        """See `Predictor.predict`."""
        inference = self._inference
        if inference is None:
            raise PredictorUnavailable("the PaddleServing ranker is not open")
        if timeout_s <= 0:
            raise PredictorUnavailable("no time left to rank")
        rows = count_rows(feeds)
        tensors = [
            wire.Tensor(name=name, elem_type=NPY_BYTES, byte_data=to_npy(array))
            for name, array in feeds.items()
        ]
        try:
            response = inference(wire.Request(name="rank", tensors=tensors), timeout=timeout_s)
        except (grpc.RpcError, ValueError) as error:  # ValueError: the channel was closed meanwhile
            raise PredictorUnavailable(f"PaddleServing at {self._address}: {_reason(error)}") from error
        return self._read(response, rows)

    def _read(self, response: wire.Response, rows: int) -> npt.NDArray[np.float32]:
        served = dict(zip(response.key, response.value, strict=False)).get("release", "")
        if served != self.release:
            what = f"release {served}" if served else "no release we know"
            raise ReleaseMismatch(f"PaddleServing at {self._address} serves {what}, not {self.release}")
        if response.err_no == _BAD_REQUEST:
            raise BadFeeds(response.err_msg)
        if response.err_no or not response.tensors:
            raise PredictorUnavailable(
                f"PaddleServing at {self._address}: error {response.err_no}: {response.err_msg.strip()[:300]}"
            )
        return as_probabilities(np.frombuffer(response.tensors[0].byte_data, dtype="<f4"), rows)


def _reason(error: Exception) -> str:
    if isinstance(error, grpc.Call):
        return f"{error.code().name}: {error.details()}"
    return str(error)
