"""`ecrs.recall.v1.RecallService` over a `RecallPort`."""

from __future__ import annotations

from collections.abc import Sequence

import grpc
from ecrs.recall.v1 import recall_service_pb2 as pb
from ecrs.recall.v1 import recall_service_pb2_grpc as pb_grpc

from engine.candidates import Candidate, Candidates
from engine.snapshot import SnapshotIds
from services.common import convert
from services.common.ports import RecallPort
from services.common.rpc import Servicer, remaining_s


class RecallServicer(pb_grpc.RecallServiceServicer):
    """Messages to calls of the port and back."""

    def __init__(self, port: RecallPort) -> None:
        self._port = port

    def RecallItems(  # noqa: N802
        self, request: pb.RecallItemsRequest, context: grpc.ServicerContext
    ) -> pb.RecallItemsResponse:
        """See the proto."""
        result = self._port.recall_items(
            convert.context_from_proto(request.context).context,
            request.top_k,
            remaining_s(),
            channels=convert.channels_from_proto(request.channels, request.recall_channels),
            item_filter=convert.filter_from_proto(request.filter),
            release=request.release,
        )
        return pb.RecallItemsResponse(
            candidates=() if request.columns else _candidates(result.candidates),
            columns=columns_to_proto(result.candidates) if request.columns else None,
            model_version=result.release,
            degraded=convert.degraded_to_proto(result.degraded),
            channels=[
                pb.ChannelReport(
                    channel=report.channel,
                    found=report.found,
                    error=report.error,
                    recall_channel=convert.channel_to_proto(report.channel),
                )
                for report in result.channels
            ],
        )

    def SimilarItems(  # noqa: N802
        self, request: pb.SimilarItemsRequest, context: grpc.ServicerContext
    ) -> pb.SimilarItemsResponse:
        """See the proto."""
        result = self._port.similar_items(
            request.item_id,
            request.top_k,
            remaining_s(),
            item_filter=convert.filter_from_proto(request.filter),
            release=request.release,
            channels=convert.channels_from_proto(request.channels, request.recall_channels),
        )
        return pb.SimilarItemsResponse(
            candidates=_candidates(result.candidates),
            model_version=result.release,
            degraded=convert.degraded_to_proto(result.degraded),
        )

    def EncodeUser(  # noqa: N802
        self, request: pb.EncodeUserRequest, context: grpc.ServicerContext
    ) -> pb.EncodeUserResponse:
        """See the proto."""
        embedding, release = self._port.encode_user(
            convert.context_from_proto(request.context).context, remaining_s(), request.release
        )
        return pb.EncodeUserResponse(embedding=embedding.tolist(), model_version=release)


def columns_to_proto(candidates: Candidates) -> pb.CandidateColumns:
    """Candidates of a release as columns."""
    ids = candidates.ids
    return pb.CandidateColumns(
        rows=candidates.rows.tolist(),
        scores=candidates.scores.tolist(),
        channel_bits=candidates.bits.tolist(),
        deciding=candidates.deciding.tolist(),
        reason_rows=candidates.reason_rows.tolist(),
        segments=candidates.segments.tolist(),
        new_item_ids=ids.new_ids if isinstance(ids, SnapshotIds) else (),
    )


def servicer(port: RecallPort) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "ecrs.recall.v1.RecallService",
        lambda server: pb_grpc.add_RecallServiceServicer_to_server(RecallServicer(port), server),
    )


def _candidates(candidates: Sequence[Candidate]) -> list[pb.Candidate]:
    message = pb.Candidate
    return [
        message(
            item_id=candidate.item_id,
            score=candidate.score,
            channels=candidate.channels,
            recall_channels=map(convert.channel_to_proto, candidate.channels),
            reason_item_id=candidate.reason_item_id,
            reason_segment=candidate.reason_segment,
        )
        for candidate in candidates
    ]
