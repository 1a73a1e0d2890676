"""gRPC servicer of `ecrs.item.v1.ItemService`: reads the message, asks the port, writes the message."""

from __future__ import annotations

import grpc
from ecrs.item.v1 import item_service_pb2 as pb
from ecrs.item.v1 import item_service_pb2_grpc as stubs

from engine.errors import InvalidArgument
from engine.types import SEARCH_ORDERS, SearchQuery
from services.common.convert import optional_int
from services.common.ports import ItemPort
from services.common.rpc import Servicer, remaining_s
from services.common.validate import check_count
from services.item.messages import categories_to_proto, item_from_proto, item_to_proto

NAME = "ecrs.item.v1.ItemService"
DEFAULT_DEPTH = 2


class ItemServicer(stubs.ItemServiceServicer):
    """Serves an ItemPort."""

    def __init__(self, items: ItemPort) -> None:
        self._items = items

    def GetItem(  # noqa: N802 - the contract's name
        self, request: pb.GetItemRequest, context: grpc.ServicerContext
    ) -> pb.GetItemResponse:
        return pb.GetItemResponse(item=item_to_proto(self._items.get_item(request.item_id, remaining_s())))

    def BatchGetItems(  # noqa: N802
        self, request: pb.BatchGetItemsRequest, context: grpc.ServicerContext
    ) -> pb.BatchGetItemsResponse:
        items, missing = self._items.batch_get_items(request.item_ids, remaining_s())
        return pb.BatchGetItemsResponse(items=map(item_to_proto, items), missing_ids=missing)

    def UpsertItems(  # noqa: N802
        self, request: pb.UpsertItemsRequest, context: grpc.ServicerContext
    ) -> pb.UpsertItemsResponse:
        check_count("items", request.items)
        items = [item_from_proto(item, f"items[{at}]") for at, item in enumerate(request.items)]
        return pb.UpsertItemsResponse(upserted_count=self._items.upsert_items(items, remaining_s()))

    def SetAvailability(  # noqa: N802
        self, request: pb.SetAvailabilityRequest, context: grpc.ServicerContext
    ) -> pb.SetAvailabilityResponse:
        count, missing = self._items.set_availability(request.item_ids, request.available, remaining_s())
        return pb.SetAvailabilityResponse(updated_count=count, missing_ids=missing)

    def ListItems(  # noqa: N802
        self, request: pb.ListItemsRequest, context: grpc.ServicerContext
    ) -> pb.ListItemsResponse:
        items, token = self._items.list_items(request.page_size, request.page_token, remaining_s())
        return pb.ListItemsResponse(items=map(item_to_proto, items), next_page_token=token)

    def SearchItems(  # noqa: N802
        self, request: pb.SearchItemsRequest, context: grpc.ServicerContext
    ) -> pb.SearchItemsResponse:
        query = SearchQuery(
            text=request.query,
            category_path=tuple(request.category_path),
            brands=tuple(request.brands),
            price_min=request.price_min if request.HasField("price_min") else None,
            price_max=request.price_max if request.HasField("price_max") else None,
            order=_order(request.order),
            page_size=request.page_size,
            page_token=request.page_token,
            include_unavailable=request.include_unavailable,
            variant_of=request.variant_of,
        )
        result = self._items.search_items(query, remaining_s())
        return pb.SearchItemsResponse(
            items=map(item_to_proto, result.items),
            next_page_token=result.next_page_token,
            total_count=result.total_count,
            brands=[pb.FacetCount(value=value, count=count) for value, count in result.brands],
            categories=[pb.FacetCount(value=value, count=count) for value, count in result.categories],
            corrected_query=result.corrected_text,
        )

    def ListCategories(  # noqa: N802
        self, request: pb.ListCategoriesRequest, context: grpc.ServicerContext
    ) -> pb.ListCategoriesResponse:
        depth = optional_int(request, "depth", DEFAULT_DEPTH)
        categories = self._items.list_categories(depth, remaining_s())
        return pb.ListCategoriesResponse(categories=categories_to_proto(categories))


def servicer(items: ItemPort) -> Servicer:
    """The service, for `App`."""
    return Servicer(NAME, lambda server: stubs.add_ItemServiceServicer_to_server(ItemServicer(items), server))


def _order(number: int) -> str:
    """The name of an order; "" for 0. Raises InvalidArgument for numbers that the contract does not have."""
    if not 0 <= number <= len(SEARCH_ORDERS):
        raise InvalidArgument("order", f"must be 0 to {len(SEARCH_ORDERS)}, not {number}")
    return SEARCH_ORDERS[number - 1] if number else ""
