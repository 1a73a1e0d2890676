"""The 2022 contract's recall, `/recall.RecallService/recall`, over a `RecallPort`."""

from __future__ import annotations

import grpc
import structlog
from original import recall_pb2 as pb
from original import recall_pb2_grpc as pb_grpc

from engine.errors import EcrsError
from services.common.ports import RecallPort
from services.common.rpc import Servicer, remaining_s
from services.original.context import MAX_LOG_ID, ContextReader

DEFAULT_NUM = 100  # for request_num 0
_OK, _FAILED = 200, 500


class OriginalRecallServicer(pb_grpc.RecallServiceServicer):
    """Errors go into the body, as this contract's callers expect."""

    def __init__(self, port: RecallPort, contexts: ContextReader) -> None:
        self._port, self._contexts = port, contexts

    def recall(self, request: pb.RecallRequest, context: grpc.ServicerContext) -> pb.RecallResponse:
        """Candidates of all channels, or of the one that `recall_type` names; best first."""
        structlog.contextvars.bind_contextvars(log_id=request.log_id[:MAX_LOG_ID])
        try:
            result = self._port.recall_items(
                self._contexts.read(request.user_info, remaining_s()),
                request.request_num or DEFAULT_NUM,
                remaining_s(),
                channels=(request.recall_type,) if request.recall_type else (),
            )
        except EcrsError as error:
            return pb.RecallResponse(error=pb.RecallResponse.Error(code=_FAILED, text=_in_their_words(error)))
        return pb.RecallResponse(
            error=pb.RecallResponse.Error(code=_OK),
            score_pairs=[
                pb.RecallResponse.ScorePair(nid=candidate.item_id, score=candidate.score)
                for candidate in result.candidates
            ],
        )


def servicer(port: RecallPort, contexts: ContextReader) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "recall.RecallService",
        lambda server: pb_grpc.add_RecallServiceServicer_to_server(
            OriginalRecallServicer(port, contexts), server
        ),
    )


def _in_their_words(error: EcrsError) -> str:
    """The error's text with this contract's field names."""
    text = str(error)
    return text.replace("channels:", "recall_type:", 1) if text.startswith("channels:") else text
