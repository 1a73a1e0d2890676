"""A shop of which nothing is known but events, opened by `make up`; and one too small to train on."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from ecrs.common.v1 import types_pb2
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from scripts.supervision.leftovers import find_leftovers
from services.running import FILE_NAME
from services.settings import PORTS
from tests.support.poor_data import PARTS, write_poor
from tests.support.shop import Shop, undegraded
from tests.support.visitor import Visitor

pytestmark = [pytest.mark.integration, pytest.mark.timeout(1200)]

BARE = tuple(part for part in PARTS if part != "times")


@pytest.fixture(scope="module")
def poor(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    folder = tmp_path_factory.mktemp("poor")
    write_poor(folder / "prepared" / "poor", BARE)
    with Shop(folder, "poor").running() as shop:
        yield shop


@pytest.fixture(scope="module")
def stub(poor: Shop) -> Iterator[Any]:
    with grpc.insecure_channel(f"127.0.0.1:{PORTS['recommend'] + poor.offset}") as channel:
        yield stubs.RecommendServiceStub(channel)


def test_a_shopper_gets_a_list_of_their_own_and_a_stranger_what_is_popular(stub: Any) -> None:
    stranger, mine = (
        undegraded(
            lambda user=user: stub.Recommend(pb.RecommendRequest(user_id=user, page_size=10), timeout=10)
        )
        for user in ("stranger", "u1")
    )

    for answer in (stranger, mine):
        assert len({item.item_id for item in answer.items}) == 10
    assert sum(int(item.item_id) % 4 == 1 for item in mine.items) >= 5  # of 12 among the 48


def test_a_profile_of_what_nobody_was_asked_for_is_refused_with_the_reason(stub: Any) -> None:
    told = types_pb2.UserProfile(attributes={"age": types_pb2.Value(text="3")})

    with pytest.raises(grpc.RpcError, match="age: is not a feature of this dataset; it has: none"):
        stub.Recommend(pb.RecommendRequest(profile=told, page_size=10), timeout=10)


def test_similar_items_are_of_the_same_taste(stub: Any) -> None:
    query = pb.SimilarItemsRequest(item_id="5", page_size=6)
    answer = undegraded(lambda: stub.SimilarItems(query, timeout=10))

    assert len(answer.items) == 6
    assert sum(int(item.item_id) % 4 == 1 for item in answer.items) >= 4


@pytest.mark.parametrize(
    ("path", "shown"),
    [
        ("/", "Product "),
        ("/items/5", "Product 5"),
        ("/categories", "</html>"),
        ("/search?q=product+7", "Product 7"),
        ("/signin", "</form>"),
        ("/register", "</form>"),
        ("/cart", "</html>"),
        ("/console/", "poor-"),
        ("/console/flow?user_id=u1", "Product "),
        ("/console/recall?user_id=u1", "Product "),
        ("/console/rank?user_id=u1", "Product "),
        ("/console/similar?item_id=5", "Product "),
        ("/console/user?user_id=u1", "u1"),
        ("/api/v1/recommendations?user_id=u1", '"items"'),
    ],
)
def test_every_page_opens(poor: Shop, path: str, shown: str) -> None:
    assert shown in Visitor(poor.front_ends[0]).read(path)


def test_a_demo_shopper_signs_in_buys_and_finds_the_profile_page(poor: Shop) -> None:
    visitor = Visitor(poor.front_ends[0])

    visitor.submit("/signin", "/signin", user_id="u1")
    visitor.submit("/items/5", "/events", type="cart")

    assert "Product 5" in visitor.read("/cart")
    assert "</form>" in visitor.read("/profile")
    assert "Product " in visitor.read("/history")


def test_data_too_small_to_train_on_end_make_up_with_one_reason_and_nothing_left(tmp_path: Path) -> None:
    write_poor(tmp_path / "prepared" / "poor", BARE, events=4)
    shop = Shop(tmp_path, "poor")

    done = shop.command("up")

    assert done.returncode == 1
    assert "error: poor: " in done.stderr
    assert "training needs shoppers who come back" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("make up: training failed (exit status 1)")
    assert "Traceback" not in done.stdout + done.stderr
    assert find_leftovers(shop.state_dir) == []
    assert not (shop.state_dir / FILE_NAME).exists()
    assert list((tmp_path / "releases").iterdir()) == []
