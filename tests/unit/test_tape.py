"""The tape of a request's own calls."""

from __future__ import annotations

from collections.abc import Iterator
from contextvars import copy_context

import grpc
import pytest
from ecrs.item.v1 import item_service_pb2 as pb
from ecrs.item.v1 import item_service_pb2_grpc as pb_grpc

from engine.errors import NotFound, Unavailable
from services.common.rpc import App, Server, Servicer, Target
from services.common.rpc.tape import recording

pytestmark = pytest.mark.unit


class Catalogue(pb_grpc.ItemServiceServicer):
    """Has item "1" only."""

    def GetItem(self, request: pb.GetItemRequest, context: grpc.ServicerContext) -> pb.GetItemResponse:  # noqa: N802
        if request.item_id != "1":
            raise NotFound(f"item {request.item_id}")
        return pb.GetItemResponse(item=pb.Item(item_id="1", title="One"))


@pytest.fixture
def target() -> Iterator[Target]:
    servicer = Servicer(
        "ecrs.item.v1.ItemService",
        lambda server: pb_grpc.add_ItemServiceServicer_to_server(Catalogue(), server),
    )
    server = Server(
        App("item", [servicer], ready=lambda: None, close=lambda: None), "127.0.0.1", 0, default_deadline_s=5
    ).start()
    opened = Target("item", f"127.0.0.1:{server.port}").open()
    yield opened
    opened.close()
    server.stop(0.1)


def get(target: Target, item_id: str) -> pb.GetItemResponse:
    stub = pb_grpc.ItemServiceStub(target.channel)
    return target.call(stub.GetItem, pb.GetItemRequest(item_id=item_id), 5.0)


def test_what_was_sent_and_answered_is_kept_in_order(target: Target) -> None:
    with recording() as exchanges:
        answer = get(target, "1")
        with pytest.raises(NotFound):
            get(target, "2")
    first, second = exchanges
    assert (first.target, first.address) == ("item", target.address)
    assert first.request == pb.GetItemRequest(item_id="1")
    assert first.response == answer
    assert first.error == ""
    assert second.response is None
    assert second.error == "NOT_FOUND: item 2"
    assert first.started + first.took_s <= second.started


def test_each_try_of_a_service_that_is_away_is_kept() -> None:
    away = Target("item", "127.0.0.1:1").open()
    with recording() as exchanges, pytest.raises(Unavailable):
        get(away, "1")
    assert len(exchanges) == 2
    assert all(one.error.startswith("UNAVAILABLE") for one in exchanges)
    away.close()


def test_nothing_is_kept_outside_or_for_somebody_else(target: Target) -> None:
    elsewhere = copy_context()
    with recording() as exchanges:
        elsewhere.run(get, target, "1")  # as another request's greenlet or thread
    get(target, "1")
    assert exchanges == []
