"""The pipeline's three operators: read the request, run the model, write the answer.

PaddleServing calls their overridden methods; everything else (queues, threads, error codes) is its own code.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from paddle_serving_server.pipeline import Op, RequestOp, ResponseOp
from paddle_serving_server.pipeline.proto import pipeline_service_pb2

from services.rank.serving import batching
from services.rank.serving.manifest import RankManifest
from services.rank.serving.predictor import PirPredictor, PredictorHandler
from services.rank.serving.tensors import BadTensor, decode

BAD_REQUEST = 51
"""`err_no` for a request at fault; PaddleServing leaves 51–99 to its users."""

_FLOAT32 = 1

Values = Mapping[str, "np.ndarray[Any, Any]"]


class DecodeOp(RequestOp):  # type: ignore[misc]  # the wheel has no types
    """Request message → arrays. PaddleServing's own unpacking unpickles what it is sent."""

    def unpack_request_package(self, request: Any) -> tuple[dict[str, Any], int, int | None, str]:
        """Returns (feeds, log id, error code or None, error text), as PaddleServing expects."""
        feeds: dict[str, Any] = {}
        try:
            for tensor in request.tensors:
                if tensor.name in feeds:
                    raise BadTensor("sent twice")
                feeds[tensor.name] = decode(tensor)
        except BadTensor as error:
            return {}, request.logid, BAD_REQUEST, f"feed {tensor.name[:100]}: {error}"
        return feeds, request.logid, None, ""


class RankOp(Op):  # type: ignore[misc]  # the wheel has no types
    """Checks the feeds against the manifest, runs the model on padded batches, removes the padding."""

    def __init__(self, manifest: RankManifest, predictor: PirPredictor, handler: PredictorHandler) -> None:
        super().__init__(
            name="rank",
            input_ops=[DecodeOp()],
            fetch_list=list(predictor.fetch_names_),
            client_type="local_predictor",
            local_service_handler=handler,
            concurrency=1,  # with more, threads share the predictor and answers are swapped between requests
            batch_size=1,
        )
        self._manifest = manifest

    def preprocess(
        self, input_dicts: Mapping[str, Values], data_id: int = 0, log_id: int = 0
    ) -> tuple[list[dict[str, Any]] | None, bool, int | None, str]:
        """Returns (batches, skip the model?, error code or None, error text)."""
        (feeds,) = input_dicts.values()
        try:
            rows = batching.check(feeds, self._manifest.feeds)
        except batching.BadRequest as error:
            return None, True, BAD_REQUEST, str(error)
        return batching.split(feeds, rows), False, None, ""

    def postprocess(
        self,
        input_data: Mapping[str, Values],
        fetch_data: Sequence[Values],
        data_id: int = 0,
        log_id: int = 0,
    ) -> tuple[dict[str, Any], int | None, str]:
        """Returns (fetches of the request's own rows, error code or None, error text)."""
        (feeds,) = input_data.values()
        rows = len(feeds[self._manifest.feeds[0].name])
        outputs = {name: batching.join([part[name] for part in fetch_data], rows) for name in fetch_data[0]}
        return outputs, None, ""


class EncodeOp(ResponseOp):  # type: ignore[misc]  # the wheel has no types
    """Arrays → answer, as raw float32 (stock: the text of `repr()`), with the release that computed them."""

    def __init__(self, rank: RankOp, release: str) -> None:
        super().__init__(input_ops=[rank])
        self._release = release

    def pack_response_package(self, channeldata: Any) -> Any:
        """The `Response` message for a result or an error of the operators before."""
        response = pipeline_service_pb2.Response(key=["release"], value=[self._release])
        if channeldata.error_code:
            own = channeldata.prod_error_code
            response.err_no = own or channeldata.error_code
            response.err_msg = (channeldata.prod_error_info if own else channeldata.error_info) or "failed"
            return response
        for name, values in channeldata.parse().items():
            raw = np.ascontiguousarray(values, dtype="<f4")
            response.tensors.add(name=name, elem_type=_FLOAT32, shape=raw.shape, byte_data=raw.tobytes())
        return response
