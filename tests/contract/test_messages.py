"""What callers of the generated stubs, in any language, send and read."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import grpc
import pytest
from ecrs.common.v1 import types_pb2
from ecrs.item.v1 import item_service_pb2, item_service_pb2_grpc
from ecrs.rank.v1 import rank_service_pb2, rank_service_pb2_grpc
from ecrs.recall.v1 import recall_service_pb2, recall_service_pb2_grpc
from ecrs.recommend.v1 import recommend_service_pb2, recommend_service_pb2_grpc
from ecrs.user.v1 import user_service_pb2, user_service_pb2_grpc
from google.rpc import error_details_pb2
from grpc_status import rpc_status

from engine.vocabulary import ALL_CHANNELS
from tests.support.served import served

pytestmark = pytest.mark.contract

T = 5.0
POPULAR, TRENDING = types_pb2.CHANNEL_POPULAR, types_pb2.CHANNEL_TRENDING


@pytest.fixture(scope="module")
def channels(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, grpc.Channel]]:
    """An open channel to each service."""
    with served(tmp_path_factory.mktemp("served")) as addresses:
        opened = {name: grpc.insecure_channel(address) for name, address in addresses.items()}
        yield opened
        for channel in opened.values():
            channel.close()


def test_the_enum_of_channels_has_the_names_that_the_texts_have() -> None:
    values = types_pb2.Channel.DESCRIPTOR.values
    names = [value.name.removeprefix("CHANNEL_").lower() for value in values]
    assert names == ["unspecified", *ALL_CHANNELS]


def test_channels_are_asked_for_and_answered_as_texts_and_as_an_enum(
    channels: dict[str, grpc.Channel],
) -> None:
    recommend = recommend_service_pb2_grpc.RecommendServiceStub(channels["recommend"]).Recommend
    by_text, by_enum, by_both = (
        recommend(recommend_service_pb2.RecommendRequest(user_id="5", **asked), timeout=T).items
        for asked in (
            {"channels": ["popular", "trending"]},
            {"recall_channels": [POPULAR, TRENDING]},
            {"channels": ["popular"], "recall_channels": [TRENDING, POPULAR]},
        )
    )
    assert [item.item_id for item in by_text] == [item.item_id for item in by_enum]
    assert [item.item_id for item in by_text] == [item.item_id for item in by_both]
    recall = recall_service_pb2_grpc.RecallServiceStub(channels["recall"]).RecallItems
    found = recall(recall_service_pb2.RecallItemsRequest(recall_channels=[POPULAR, TRENDING]), timeout=T)
    assert [report.recall_channel for report in found.channels] == [POPULAR, TRENDING]
    for item in (*by_text, *found.candidates):
        named = [types_pb2.Channel.Name(number) for number in item.recall_channels]
        assert named == [f"CHANNEL_{name.upper()}" for name in item.channels]
        assert set(item.channels) <= {"popular", "trending"}
        assert item.channels


def bad_requests(channels: dict[str, grpc.Channel]) -> dict[str, tuple[Callable[..., Any], Any, str]]:
    """For each service a call, a request that it refuses, and the field at fault."""
    user, item = user_service_pb2, item_service_pb2
    recall, rank, recommend = recall_service_pb2, rank_service_pb2, recommend_service_pb2
    return {
        "user": (
            user_service_pb2_grpc.UserServiceStub(channels["user"]).ListUsers,
            user.ListUsersRequest(page_size=-1),
            "page_size",
        ),
        "item": (
            item_service_pb2_grpc.ItemServiceStub(channels["item"]).UpsertItems,
            item.UpsertItemsRequest(items=[item.Item(item_id="1"), item.Item(item_id="2", price=-1)]),
            "items[1].price",
        ),
        "recall": (
            recall_service_pb2_grpc.RecallServiceStub(channels["recall"]).RecallItems,
            recall.RecallItemsRequest(recall_channels=[POPULAR, 99]),  # type: ignore[list-item]
            "recall_channels[1]",
        ),
        "rank": (
            rank_service_pb2_grpc.RankServiceStub(channels["rank"]).RankItems,
            rank.RankItemsRequest(),
            "item_ids",
        ),
        "recommend": (
            recommend_service_pb2_grpc.RecommendServiceStub(channels["recommend"]).Recommend,
            recommend.RecommendRequest(user_id="5", filter={"price_min": 2, "price_max": 1}),
            "filter.price_min",
        ),
    }


@pytest.mark.parametrize("service", ["user", "item", "recall", "rank", "recommend"])
def test_every_service_names_the_field_at_fault_in_the_details(
    channels: dict[str, grpc.Channel], service: str
) -> None:
    call, request, field = bad_requests(channels)[service]
    with pytest.raises(grpc.RpcError) as caught:
        call(request, timeout=T)
    status = rpc_status.from_call(caught.value)
    violated = error_details_pb2.BadRequest()
    assert [detail.Unpack(violated) for detail in status.details] == [True]
    assert [violation.field for violation in violated.field_violations] == [field]
    description = violated.field_violations[0].description
    assert caught.value.details() == f"{field}: {description}"
