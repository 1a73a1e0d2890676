"""`RankPort` over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from ecrs.rank.v1 import rank_service_pb2 as pb
from ecrs.rank.v1 import rank_service_pb2_grpc as pb_grpc

from engine.candidates import Candidates, Rows
from engine.features import UserContext
from engine.types import Contribution, ExplainResult, ItemExplanation, RankResult
from services.common import convert
from services.common.rpc import Target


class RankClient:
    """Implements `RankPort` by asking the rank service.

    Args:
        target: open.
    """

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stub = pb_grpc.RankServiceStub(target.channel)

    def rank_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> RankResult:
        """See `RankPort`."""
        request = pb.RankItemsRequest(
            context=convert.context_to_proto(context), item_ids=item_ids, release=release
        )
        response = self._target.call(self._stub.RankItems, request, timeout_s)
        return RankResult(
            np.array(response.scores, np.float32), response.model_version, tuple(response.missing_ids)
        )

    def rank_candidates(
        self, context: UserContext, candidates: Candidates, timeout_s: float, release: str
    ) -> RankResult:
        """See `RankPort`."""
        if not release or candidates.ids.release != release:
            return self.rank_items(context, candidates.item_ids(), timeout_s, release)
        return self.rank_rows(context, candidates.rows, timeout_s, release)

    def rank_rows(self, context: UserContext, rows: Rows, timeout_s: float, release: str) -> RankResult:
        """See `RankPort`."""
        request = pb.RankItemsRequest(
            context=convert.context_to_proto(context), rows=rows.tolist(), release=release
        )
        response = self._target.call(self._stub.RankItems, request, timeout_s)
        return RankResult(np.array(response.scores, np.float32), response.model_version)

    def explain_items(
        self, context: UserContext, item_ids: Sequence[str], timeout_s: float, release: str = ""
    ) -> ExplainResult:
        """See `RankPort`."""
        request = pb.ExplainItemsRequest(
            context=convert.context_to_proto(context), item_ids=item_ids, release=release
        )
        response = self._target.call(self._stub.ExplainItems, request, timeout_s)
        return ExplainResult(
            tuple(
                ItemExplanation(
                    item.item_id,
                    item.score,
                    tuple(Contribution(part.feature, part.value, part.effect) for part in item.contributions),
                )
                for item in response.items
            ),
            response.model_version,
            tuple(response.missing_ids),
        )
