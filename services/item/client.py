"""ItemPort over gRPC."""

from __future__ import annotations

from collections.abc import Sequence

from ecrs.item.v1 import item_service_pb2 as pb
from ecrs.item.v1 import item_service_pb2_grpc as stubs

from services.common.ports import Item
from services.common.rpc import Target
from services.item.messages import item_from_proto, item_to_proto


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
