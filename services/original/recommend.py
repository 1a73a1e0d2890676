"""The 2022 contract's application service, `/as.ASService/as_call`, over a `RecommendPort`."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import structlog
from original import as_pb2 as pb
from original import as_pb2_grpc as pb_grpc
from original import item_info_pb2

from engine.errors import EcrsError
from engine.types import RecommendedItem, RecommendQuery
from services.common.ports import RecommendPort
from services.common.rpc import Servicer, remaining_s
from services.original.context import MAX_LOG_ID, given_user

PAGE_SIZE = 50
_OK, _FAILED = 200, 500
_STRANGER = "0"  # the id of the user of whom nothing usable is given: gets what is popular


class OriginalRecommendServicer(pb_grpc.ASServiceServicer):
    """Errors go into the body, as this contract's callers expect."""

    def __init__(self, port: RecommendPort, attribute_names: Callable[[], frozenset[str] | None]) -> None:
        self._port, self._attribute_names = port, attribute_names

    def as_call(self, request: pb.ASRequest, context: grpc.ServicerContext) -> pb.ASResponse:
        """A list for the user of `user_id`, or of `user_info`; best first."""
        structlog.contextvars.bind_contextvars(log_id=request.log_id[:MAX_LOG_ID])
        try:
            if not request.user_id and not request.HasField("user_info"):
                return _failure("user_id: one of user_id and user_info must be given")
            given = given_user(request.user_info, self._attribute_names(), request.user_id)
            user_id = given.user_id or ("" if given.profile else _STRANGER)
            query = RecommendQuery(
                user_id=user_id, profile=given.profile or None, page_size=PAGE_SIZE, placement="as_call"
            )
            result = self._port.recommend(query, remaining_s())
        except EcrsError as error:
            return _failure(str(error))
        if not result.items:
            return _failure("no items can be recommended at this moment")
        return pb.ASResponse(
            error=pb.ASResponse.Error(code=_OK), item_infos=[_item_info(item) for item in result.items]
        )


def servicer(port: RecommendPort, attribute_names: Callable[[], frozenset[str] | None]) -> Servicer:
    """The service, to be added to a server."""
    return Servicer(
        "as.ASService",
        lambda server: pb_grpc.add_ASServiceServicer_to_server(
            OriginalRecommendServicer(port, attribute_names), server
        ),
    )


def _failure(text: str) -> pb.ASResponse:
    return pb.ASResponse(error=pb.ASResponse.Error(code=_FAILED, text=text))


def _item_info(recommended: RecommendedItem) -> item_info_pb2.ItemInfo:
    item = recommended.item
    if item is None:
        return item_info_pb2.ItemInfo(sku_id=recommended.item_id, rank_score=recommended.score)
    return item_info_pb2.ItemInfo(
        sku_id=recommended.item_id,
        brand=item.brand,
        shopid=item.shop,
        cate=item.category_path[-1] if item.category_path else "",
        rank_score=recommended.score,
    )
