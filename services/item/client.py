"""ItemPort over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from ecrs.item.v1 import item_service_pb2 as pb
from ecrs.item.v1 import item_service_pb2_grpc as stubs

from engine.types import SEARCH_ORDERS, Category, Item, SearchQuery, SearchResult
from services.common.rpc import Target
from services.item.messages import categories_from_proto, item_from_proto, item_to_proto
from services.item.search.query import check_order


class ItemClient:
    """Implements `services.common.ports.ItemPort` by calling the item service. Needs an open target."""

    def __init__(self, target: Target) -> None:
        self._target = target
        self._stub = stubs.ItemServiceStub(target.channel)

    def get_item(self, item_id: str, timeout_s: float) -> Item:
        request = pb.GetItemRequest(item_id=item_id)
        return item_from_proto(self._target.call(self._stub.GetItem, request, timeout_s).item)

    def batch_get_items(self, item_ids: Sequence[str], timeout_s: float) -> tuple[list[Item], list[str]]:
        request = pb.BatchGetItemsRequest(item_ids=item_ids)
        response = self._target.call(self._stub.BatchGetItems, request, timeout_s)
        return [item_from_proto(item) for item in response.items], list(response.missing_ids)

    def upsert_items(self, items: Sequence[Item], timeout_s: float) -> int:
        request = pb.UpsertItemsRequest(items=map(item_to_proto, items))
        return self._target.call(self._stub.UpsertItems, request, timeout_s).upserted_count

    def set_availability(
        self, item_ids: Sequence[str], available: bool, timeout_s: float
    ) -> tuple[int, list[str]]:
        request = pb.SetAvailabilityRequest(item_ids=item_ids, available=available)
        response = self._target.call(self._stub.SetAvailability, request, timeout_s)
        return response.updated_count, list(response.missing_ids)

    def list_items(self, page_size: int, page_token: str, timeout_s: float) -> tuple[list[Item], str]:
        request = pb.ListItemsRequest(page_size=page_size, page_token=page_token)
        response = self._target.call(self._stub.ListItems, request, timeout_s)
        return [item_from_proto(item) for item in response.items], response.next_page_token

    def search_items(self, query: SearchQuery, timeout_s: float) -> SearchResult:
        order = SEARCH_ORDERS.index(check_order(query.order)) + 1 if query.order else 0
        request = pb.SearchItemsRequest(
            query=query.text,
            category_path=query.category_path,
            brands=query.brands,
            price_min=query.price_min,
            price_max=query.price_max,
            order=pb.SearchOrder.ValueType(order),
            page_size=query.page_size,
            page_token=query.page_token,
            include_unavailable=query.include_unavailable,
            variant_of=query.variant_of,
        )
        response = self._target.call(self._stub.SearchItems, request, timeout_s)
        return SearchResult(
            tuple(item_from_proto(item) for item in response.items),
            response.next_page_token,
            response.total_count,
            tuple((facet.value, facet.count) for facet in response.brands),
            tuple((facet.value, facet.count) for facet in response.categories),
            response.corrected_query,
        )

    def list_categories(self, depth: int, timeout_s: float) -> tuple[Category, ...]:
        request = pb.ListCategoriesRequest(depth=depth)
        response = self._target.call(self._stub.ListCategories, request, timeout_s)
        return categories_from_proto(response.categories)
