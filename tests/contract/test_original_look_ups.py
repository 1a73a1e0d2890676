"""um_call and cm_call, called by clients built from the original's tables alone."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import redis

from engine.types import Item, UserProfile
from services import bootstrap
from services.common.rpc import Server
from tests.contract.conftest import settings_for
from tests.support.original_contract import call
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.contract


@pytest.fixture
def um(redis_url: str) -> Iterator[str]:
    """Address of a user service that knows the users 5 (by the original's own key) and ann."""
    row = {"user_id": "5", "age": "5.0", "sex": "1.0", "city_level": "5.0", "province": "20.0"}
    row |= {"city": "176.0", "country": "1933.0"}
    redis.Redis.from_url(redis_url).set("5##user_info", json.dumps(row))
    settings = settings_for(redis_url)
    bootstrap.user_service(settings).upsert_users([UserProfile("ann", {"age": "2", "income": "high"})], 2.0)
    server = Server(bootstrap.user_app(settings), "127.0.0.1", 0).start()
    yield f"127.0.0.1:{server.port}"
    server.stop(0.2)


@pytest.fixture
def cm(redis_url: str) -> Iterator[str]:
    """Address of an item service that knows the items 1 and 2."""
    settings = settings_for(redis_url)
    stored = [Item(name, category_path=("7", "70"), brand="3456", shop="6980") for name in "12"]
    bootstrap.item_service(settings).upsert_items(stored, 2.0)
    server = Server(bootstrap.item_app(settings), "127.0.0.1", 0).start()
    yield f"127.0.0.1:{server.port}"
    server.stop(0.2)


@pytest.mark.parametrize("user_id", ["5", "5.0", " 5.0"])
def test_a_user_is_found_by_either_spelling_and_answered_with_the_stored_text(um: str, user_id: str) -> None:
    answer = call(um, "um_call", log_id="1", user_id=user_id)
    assert (answer.error.code, answer.error.text) == (200, "")
    info = answer.user_info
    assert (info.user_id, info.age, info.sex, info.city_level) == ("5", "5.0", "1.0", "5.0")
    assert (info.province, info.city, info.country) == ("20.0", "176.0", "1933.0")


def test_features_that_the_original_does_not_have_are_left_out(um: str) -> None:
    info = call(um, "um_call", user_id="ann").user_info
    assert (info.age, info.sex) == ("2", "")


@pytest.mark.parametrize("user_id", ["", "-1", "unknown", "x" * 10_000, "a\nb"])
def test_an_unknown_or_bad_user_is_code_500_with_a_text(um: str, user_id: str) -> None:
    answer = call(um, "um_call", user_id=user_id)
    assert answer.error.code == 500
    assert answer.error.text
    assert not answer.HasField("user_info")


def test_items_come_in_the_order_asked_for(cm: str) -> None:
    answer = call(cm, "cm_call", log_id="1", item_ids=["2", "1"])
    assert (answer.error.code, answer.error.text) == (200, "")
    assert [info.sku_id for info in answer.item_infos] == ["2", "1"]
    first = answer.item_infos[0]
    assert (first.brand, first.shopid, first.cate) == ("3456", "6980", "70")


def test_missing_items_are_left_out_and_named(cm: str) -> None:
    answer = call(cm, "cm_call", item_ids=["1", "99", "2.0"])
    assert answer.error.code == 200
    assert answer.error.text == "not found: 99"
    assert [info.sku_id for info in answer.item_infos] == ["1", "2"]


@pytest.mark.parametrize("item_ids", [[], ["99"], ["x" * 10_000], [""], ["1"] * 1001])
def test_without_any_item_the_code_is_500_with_a_text(cm: str, item_ids: list[str]) -> None:
    answer = call(cm, "cm_call", item_ids=item_ids)
    assert answer.error.code == 500
    assert answer.error.text
    assert not answer.item_infos


def test_redis_down_is_code_500_not_a_hang(redis_server: RedisServer) -> None:
    settings = settings_for(redis_server.url)
    server = Server(bootstrap.user_app(settings), "127.0.0.1", 0).start()
    redis_server.kill()
    answer = call(f"127.0.0.1:{server.port}", "um_call", user_id="5", timeout_s=2.0)
    server.stop(0.2)
    assert answer.error.code == 500
    assert "Redis" in answer.error.text
