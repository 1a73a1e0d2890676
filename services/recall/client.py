"""`RecallPort` over gRPC."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
import numpy.typing as npt
from ecrs.recall.v1 import recall_service_pb2 as pb
from ecrs.recall.v1 import recall_service_pb2_grpc as pb_grpc

from engine.features import UserContext
from engine.types import NO_FILTER, Candidate, ChannelReport, ItemFilter, RecallResult
from services.common import convert
from services.common.rpc import Target


class RecallClient:
    """Implements `RecallPort` by asking the recall service.

    Args:
        target: open.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stub = pb_grpc.RecallServiceStub(target.channel)

    def recall_items(
        self,
        context: UserContext,
        top_k: int,
        timeout_s: float,
        channels: Sequence[str] = (),
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
    ) -> RecallResult:
        """See `RecallPort`."""
        request = pb.RecallItemsRequest(
            context=convert.context_to_proto(context),
            top_k=top_k,
            channels=channels,
            filter=None if item_filter is NO_FILTER else convert.filter_to_proto(item_filter),
            release=release,
        )
        response = self._target.call(self._stub.RecallItems, request, timeout_s)
        return RecallResult(
            _candidates(response.candidates),
            response.model_version,
            convert.degraded_from_proto(response.degraded),
            tuple(ChannelReport(part.channel, part.found, part.error) for part in response.channels),
        )

    def similar_items(
        self,
        item_id: str,
        top_k: int,
        timeout_s: float,
        item_filter: ItemFilter = NO_FILTER,
        release: str = "",
        channels: Sequence[str] = (),
    ) -> RecallResult:
        """See `RecallPort`."""
        request = pb.SimilarItemsRequest(
            item_id=item_id,
            top_k=top_k,
            filter=convert.filter_to_proto(item_filter),
            release=release,
            channels=channels,
        )
        response = self._target.call(self._stub.SimilarItems, request, timeout_s)
        return RecallResult(
            _candidates(response.candidates),
            response.model_version,
            convert.degraded_from_proto(response.degraded),
        )

    def encode_user(
        self, context: UserContext, timeout_s: float, release: str = ""
    ) -> tuple[npt.NDArray[np.float32], str]:
        """See `RecallPort`."""
        request = pb.EncodeUserRequest(context=convert.context_to_proto(context), release=release)
        response = self._target.call(self._stub.EncodeUser, request, timeout_s)
        return np.array(response.embedding, np.float32), response.model_version


def _candidates(messages: Iterable[pb.Candidate]) -> tuple[Candidate, ...]:
    return tuple(
        Candidate(
            message.item_id,
            message.score,
            tuple(message.channels),
            message.reason_item_id,
            message.reason_segment,
        )
        for message in messages
    )
