"""`RecallPort` over gRPC."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence

import numpy as np
import numpy.typing as npt
from ecrs.recall.v1 import recall_service_pb2 as pb
from ecrs.recall.v1 import recall_service_pb2_grpc as pb_grpc

from engine.candidates import Candidate, Candidates, ChannelReport, RecallResult
from engine.features import UserContext
from engine.snapshot import Snapshot, SnapshotIds
from engine.types import NO_FILTER, ItemFilter
from services.common import convert
from services.common.rpc import Target


class RecallClient:
    """Implements `RecallPort` by asking the recall service.

    Args:
        target: open.
        snapshot: a release that is loaded in this process, by name; None where it is not. With it, candidates
            come as columns.
    """

    def __init__(
        self, target: Target, snapshot: Callable[[str], Snapshot | None] = lambda release: None
    ) -> None:
        self._target, self._snapshot = target, snapshot
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
            columns=self._snapshot(release) is not None,
        )
        end = time.monotonic() + timeout_s
        response = self._target.call(self._stub.RecallItems, request, timeout_s)
        candidates = self._read(response)
        if candidates is None:  # that release is not loaded here, as for a moment after a switch
            request.columns = False
            left_s = max(end - time.monotonic(), 0.001)
            response = self._target.call(self._stub.RecallItems, request, left_s)
            candidates = _candidates(response.candidates)
        return RecallResult(
            candidates,
            response.model_version,
            convert.degraded_from_proto(response.degraded),
            tuple(ChannelReport(part.channel, part.found, part.error) for part in response.channels),
        )

    def _read(self, response: pb.RecallItemsResponse) -> Candidates | None:
        """The candidates of an answer; None for columns of a release that is not loaded here."""
        if not response.HasField("columns"):
            return _candidates(response.candidates)
        snapshot = self._snapshot(response.model_version)
        return None if snapshot is None else columns_from_proto(response.columns, snapshot)

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


def columns_from_proto(columns: pb.CandidateColumns, snapshot: Snapshot) -> Candidates:
    """Candidates from columns of a release that is loaded here."""
    new_ids = list(columns.new_item_ids)
    return Candidates(
        np.array(columns.rows, np.int64),
        np.array(columns.scores, np.float32),
        np.array(columns.channel_bits, np.int64),
        np.array(columns.deciding, np.int64),
        np.array(columns.reason_rows, np.int64),
        np.array(columns.segments, np.int64),
        SnapshotIds(snapshot.name, snapshot.table, new_ids) if new_ids else snapshot.ids,
        snapshot.segments.names,
    )


def _candidates(messages: Iterable[pb.Candidate]) -> Candidates:
    return Candidates.of(
        Candidate(
            message.item_id,
            message.score,
            tuple(message.channels),
            message.reason_item_id,
            message.reason_segment,
        )
        for message in messages
    )
