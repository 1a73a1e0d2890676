"""The 2022 contract's item look-up, /cm.CMService/cm_call, over the item service."""

from __future__ import annotations

import grpc
import structlog
from original import cm_pb2 as pb
from original import cm_pb2_grpc as stubs
from original import item_info_pb2

from engine.errors import EcrsError, NotFound
from engine.types import Item
from services.common.ports import ItemPort
from services.common.rpc import Servicer, remaining_s

NAME = "cm.CMService"
OK, FAILED = 200, 500
_NAMED = 20  # missing ids that the text lists


class CMServicer(stubs.CMServiceServicer):
    """Items in the order asked for. Missing ones are left out and named in the text; none at all is 500."""

    def __init__(self, items: ItemPort) -> None:
        self._items = items

    def cm_call(self, request: pb.CMRequest, context: grpc.ServicerContext) -> pb.CMResponse:
        structlog.contextvars.bind_contextvars(log_id=request.log_id[:128])
        try:
            items, missing = self._items.batch_get_items(list(request.item_ids), remaining_s())
            if not items:
                raise NotFound(_text(missing))
        except EcrsError as error:
            return pb.CMResponse(error=pb.CMResponse.Error(code=FAILED, text=str(error)))
        return pb.CMResponse(
            error=pb.CMResponse.Error(code=OK, text=_text(missing) if missing else ""),
            item_infos=map(item_info, items),
        )


def item_info(item: Item, score: float = 0.0) -> item_info_pb2.ItemInfo:
    """An item as the original's message; `cate` is the leaf of the category path."""
    return item_info_pb2.ItemInfo(
        sku_id=item.item_id,
        brand=item.brand,
        shopid=item.shop,
        cate=item.category_path[-1] if item.category_path else "",
        rank_score=score,
    )


def servicer(items: ItemPort) -> Servicer:
    """The service, for `App`."""
    return Servicer(NAME, lambda server: stubs.add_CMServiceServicer_to_server(CMServicer(items), server))


def _text(missing: list[str]) -> str:
    named = ", ".join(missing[:_NAMED])
    more = f" and {len(missing) - _NAMED} more" if len(missing) > _NAMED else ""
    return f"not found: {named}{more}"
