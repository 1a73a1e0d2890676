"""`ecrs.recommend.v1.RecommendService` over a `RecommendPort`."""

from __future__ import annotations

import grpc
from ecrs.common.v1 import types_pb2
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as pb_grpc

from engine.types import RecommendedItem, RecommendQuery
from engine.vocabulary import DEFAULT_CANDIDATES
from services.common import convert
from services.common.ports import RecommendPort
from services.common.rpc import Servicer, remaining_s
from services.item.messages import item_to_proto


class RecommendServicer(pb_grpc.RecommendServiceServicer):
    """Messages to calls of the port and back."""

    def __init__(self, port: RecommendPort) -> None:
        self._port = port

    def Recommend(  # noqa: N802
        self, request: pb.RecommendRequest, context: grpc.ServicerContext
    ) -> pb.RecommendResponse:
        """See the proto."""
        profile = convert.attributes_from_proto(request.profile.attributes, "profile.attributes")
        result = self._port.recommend(
            RecommendQuery(
                user_id=request.user_id,
                profile=profile or None,
                session_item_ids=tuple(request.session_item_ids),
                page_size=request.page_size,
                filter=convert.filter_from_proto(request.filter),
                placement=request.placement or "home",
                candidate_count=convert.optional_int(request, "candidate_count", DEFAULT_CANDIDATES),
                channels=convert.channels_from_proto(request.channels, request.recall_channels),
            ),
            remaining_s(),
        )
        return pb.RecommendResponse(
            items=[_item(item) for item in result.items],
            model_version=result.release,
            attribution_token=result.attribution_token,
            degraded=convert.degraded_to_proto(result.degraded),
            user_known=result.user_known,
            timings=[
                types_pb2.StageTiming(stage=stage, milliseconds=took)
                for stage, took in result.timings_ms.items()
            ],
        )

    def SimilarItems(  # noqa: N802
        self, request: pb.SimilarItemsRequest, context: grpc.ServicerContext
    ) -> pb.SimilarItemsResponse:
        """See the proto."""
        result = self._port.similar_items(
            request.item_id,
            remaining_s(),
            page_size=request.page_size,
            item_filter=convert.filter_from_proto(request.filter),
            placement=request.placement or "similar",
            channels=convert.channels_from_proto(request.channels, request.recall_channels),
        )
        return pb.SimilarItemsResponse(
            items=[_item(item) for item in result.items],
            model_version=result.release,
            attribution_token=result.attribution_token,
            degraded=convert.degraded_to_proto(result.degraded),
        )


def servicer(port: RecommendPort) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "ecrs.recommend.v1.RecommendService",
        lambda server: pb_grpc.add_RecommendServiceServicer_to_server(RecommendServicer(port), server),
    )


def _item(item: RecommendedItem) -> pb.RecommendedItem:
    reason = item.reason
    return pb.RecommendedItem(
        item_id=item.item_id,
        score=item.score,
        channels=item.channels,
        recall_channels=map(convert.channel_to_proto, item.channels),
        reason=pb.Reason(
            kind=pb.ReasonKind.Value(f"REASON_KIND_{reason.kind.upper()}"),
            reason_item_id=reason.item_id,
            reason_item_title=reason.item_title,
            segment=reason.segment,
        ),
        item=None if item.item is None else item_to_proto(item.item),
    )
