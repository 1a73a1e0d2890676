"""`ecrs.rank.v1.RankService` over a `RankPort`."""

from __future__ import annotations

import grpc
import numpy as np
from ecrs.rank.v1 import rank_service_pb2 as pb
from ecrs.rank.v1 import rank_service_pb2_grpc as pb_grpc

from engine.errors import InvalidArgument
from services.common import convert
from services.common.ports import RankPort
from services.common.rpc import Servicer, remaining_s


class RankServicer(pb_grpc.RankServiceServicer):
    """Messages to calls of the port and back."""

    def __init__(self, port: RankPort) -> None:
        self._port = port

    def RankItems(  # noqa: N802
        self, request: pb.RankItemsRequest, context: grpc.ServicerContext
    ) -> pb.RankItemsResponse:
        """See the proto."""
        context_ = convert.context_from_proto(request.context).context
        if request.rows:
            if request.item_ids:
                raise InvalidArgument("rows", "cannot be given together with item_ids")
            rows = np.array(request.rows, np.int64)
            result = self._port.rank_rows(context_, rows, remaining_s(), request.release)
        else:
            result = self._port.rank_items(context_, list(request.item_ids), remaining_s(), request.release)
        return pb.RankItemsResponse(
            scores=result.scores.tolist(), model_version=result.release, missing_ids=result.missing_ids
        )

    def ExplainItems(  # noqa: N802
        self, request: pb.ExplainItemsRequest, context: grpc.ServicerContext
    ) -> pb.ExplainItemsResponse:
        """See the proto."""
        result = self._port.explain_items(
            convert.context_from_proto(request.context).context,
            list(request.item_ids),
            remaining_s(),
            request.release,
        )
        return pb.ExplainItemsResponse(
            items=[
                pb.ItemExplanation(
                    item_id=item.item_id,
                    score=item.score,
                    contributions=[
                        pb.Contribution(feature=part.feature, value=part.value, effect=part.effect)
                        for part in item.contributions
                    ],
                )
                for item in result.items
            ],
            model_version=result.release,
            missing_ids=result.missing_ids,
        )


def servicer(port: RankPort) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "ecrs.rank.v1.RankService",
        lambda server: pb_grpc.add_RankServiceServicer_to_server(RankServicer(port), server),
    )
