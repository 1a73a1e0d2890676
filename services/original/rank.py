"""The 2022 contract's ranking, `/RankService/rank_predict`, over a `RankPort`."""

from __future__ import annotations

import grpc
import numpy as np
import structlog
from original import rank_pb2 as pb
from original import rank_pb2_grpc as pb_grpc

from engine.errors import EcrsError, InvalidArgument
from services.common.ports import RankPort
from services.common.rpc import Servicer, remaining_s
from services.common.validate import check_ids
from services.original.context import MAX_LOG_ID, ContextReader

_OK, _FAILED = 200, 500
_NAMED = 20  # missing ids named in the text; more are counted


class OriginalRankServicer(pb_grpc.RankServiceServicer):
    """Errors go into the body, as this contract's callers expect."""

    def __init__(self, port: RankPort, contexts: ContextReader) -> None:
        self._port, self._contexts = port, contexts

    def rank_predict(self, request: pb.RankRequest, context: grpc.ServicerContext) -> pb.RankResponse:
        """Scores of the items that the release has, best first; the others are named in the text."""
        structlog.contextvars.bind_contextvars(log_id=request.log_id[:MAX_LOG_ID])
        try:
            if not request.item_infos:
                raise InvalidArgument("item_infos", "must not be empty")
            item_ids = check_ids("item_infos", [item.sku_id for item in request.item_infos])
            result = self._port.rank_items(
                self._contexts.read(request.user_info, remaining_s()), item_ids, remaining_s()
            )
        except EcrsError as error:
            return pb.RankResponse(error=pb.RankResponse.Error(code=_FAILED, text=str(error)))
        missing = frozenset(result.missing_ids)
        if len(missing) == len(item_ids):
            text = _text(result.missing_ids)
            return pb.RankResponse(error=pb.RankResponse.Error(code=_FAILED, text=text))
        order = np.argsort(-result.scores, kind="stable").tolist()
        return pb.RankResponse(
            error=pb.RankResponse.Error(code=_OK, text=_text(result.missing_ids)),
            score_pairs=[
                pb.RankResponse.ScorePair(nid=item_ids[place], score=result.scores[place])
                for place in order
                if item_ids[place] not in missing
            ],
        )


def servicer(port: RankPort, contexts: ContextReader) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "RankService",
        lambda server: pb_grpc.add_RankServiceServicer_to_server(
            OriginalRankServicer(port, contexts), server
        ),
    )


def _text(missing: tuple[str, ...]) -> str:
    """Which items could not be scored; empty if all could."""
    if not missing:
        return ""
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"not scored, the model does not know them: {', '.join(missing[:_NAMED])}{more}"
