"""`RecommendPort` over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as pb_grpc

from engine.types import NO_FILTER, ItemFilter, Reason, Recommendation, RecommendedItem, RecommendQuery
from engine.vocabulary import DEFAULT_PAGE
from services.common import convert
from services.common.rpc import Target
from services.item.messages import item_from_proto

_KIND_PREFIX = "REASON_KIND_"


class RecommendClient:
    """Implements `RecommendPort` by asking the recommend service.

    Args:
        target: open.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stub = pb_grpc.RecommendServiceStub(target.channel)

    def recommend(self, query: RecommendQuery, timeout_s: float) -> Recommendation:
        """See `RecommendPort`."""
        request = pb.RecommendRequest(
            user_id=query.user_id,
            session_item_ids=query.session_item_ids,
            page_size=query.page_size,
            filter=convert.filter_to_proto(query.filter),
            placement=query.placement,
            candidate_count=query.candidate_count,
            channels=query.channels,
        )
        convert.fill_attributes(request.profile.attributes, query.profile or {})
        response = self._target.call(self._stub.Recommend, request, timeout_s)
        return Recommendation(
            tuple(_item(item) for item in response.items),
            response.model_version,
            response.attribution_token,
            convert.degraded_from_proto(response.degraded),
            response.user_known,
            {timing.stage: timing.milliseconds for timing in response.timings},
        )

    def similar_items(
        self,
        item_id: str,
        timeout_s: float,
        page_size: int = DEFAULT_PAGE,
        item_filter: ItemFilter = NO_FILTER,
        placement: str = "similar",
        channels: Sequence[str] = (),
    ) -> Recommendation:
        """See `RecommendPort`."""
        request = pb.SimilarItemsRequest(
            item_id=item_id,
            page_size=page_size,
            filter=convert.filter_to_proto(item_filter),
            placement=placement,
            channels=channels,
        )
        response = self._target.call(self._stub.SimilarItems, request, timeout_s)
        return Recommendation(
            tuple(_item(item) for item in response.items),
            response.model_version,
            response.attribution_token,
            convert.degraded_from_proto(response.degraded),
        )


def _item(message: pb.RecommendedItem) -> RecommendedItem:
    reason = message.reason
    kind = pb.ReasonKind.Name(reason.kind).removeprefix(_KIND_PREFIX).lower()
    return RecommendedItem(
        message.item_id,
        message.score,
        tuple(message.channels),
        Reason(kind, reason.reason_item_id, reason.reason_item_title, reason.segment),
        item_from_proto(message.item) if message.HasField("item") else None,
    )
