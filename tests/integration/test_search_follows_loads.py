"""The search follows what is loaded into Redis, and outlives Redis."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import redis

from engine.errors import EcrsError
from engine.release import set_current
from engine.types import Item, SearchQuery
from services import bootstrap
from services.common import keys
from services.item.codec import item_to_json
from services.item.service import ItemService
from services.settings import Settings
from tests.support.redis_server import RedisServer
from tests.support.releases import records, write_release

pytestmark = pytest.mark.integration

T = 2.0


@pytest.fixture
def settings(redis_server: RedisServer, tmp_path: Path) -> Settings:
    return Settings.model_validate(
        {"redis_url": redis_server.url, "artifacts_dir": tmp_path / "artifacts", "_env_file": None}
    )


@pytest.fixture
def items(settings: Settings) -> Iterator[ItemService]:
    part = bootstrap.item_part(settings)
    yield part.service
    part.close()


def load(url: str, generation: str, loaded: list[Item]) -> None:
    """What a load leaves behind: a new generation, then one switch."""
    client = redis.Redis.from_url(url)
    for item in loaded:
        client.set(keys.item(generation, item.item_id), item_to_json(item))
        client.zadd(keys.item_ids(generation), {item.item_id: 0})
    client.hset(keys.GENERATION, "items", generation)
    client.close()


def titles(items: ItemService, text: str = "") -> list[str]:
    try:
        return [item.title for item in items.search_items(SearchQuery(text), T).items]
    except EcrsError:
        return ["unavailable"]


def wait_for(condition: Callable[[], bool], timeout_s: float = 5.0) -> None:
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_load_is_searched_after_its_switch_and_what_it_lacks_is_gone(
    items: ItemService, redis_server: RedisServer
) -> None:
    load(redis_server.url, "1", [Item("a", "Green tea"), Item("b", "Black tea")])
    wait_for(lambda: sorted(titles(items, "tea")) == ["Black tea", "Green tea"])
    load(redis_server.url, "2", [Item("a", "Green tea, new box"), Item("c", "Coffee")])
    wait_for(lambda: titles(items, "coffee") == ["Coffee"])
    assert titles(items, "tea") == ["Green tea, new box"]
    assert items.search_items(SearchQuery(), T).total_count == 2


def test_a_restart_of_redis_is_survived(items: ItemService, redis_server: RedisServer) -> None:
    load(redis_server.url, "1", [Item("a", "Green tea")])
    wait_for(lambda: titles(items, "tea") == ["Green tea"])
    redis_server.kill()
    wait_for(lambda: titles(items, "tea") == ["unavailable"])
    redis_server.start()
    wait_for(lambda: titles(items, "tea") == ["Green tea"])
    items.upsert_items([Item("b", "White tea")], T)
    wait_for(lambda: sorted(titles(items, "tea")) == ["Green tea", "White tea"])


def test_the_order_by_popularity_is_the_current_release_s(
    items: ItemService, settings: Settings, redis_server: RedisServer
) -> None:
    catalogue = [Item(str(record["sku_id"]), str(record["title"])) for record in records()]
    load(redis_server.url, "1", catalogue)
    wait_for(lambda: len(titles(items)) == 20)
    before = titles(items)
    folder = settings.artifacts_dir
    folder.mkdir()
    # i42 is what was bought most
    set_current(write_release(folder, popularity={42: 1.0, 7: 0.5}).name, folder)
    wait_for(lambda: titles(items)[:2] == ["Item 42", "Item 7"])
    assert titles(items)[2:5] == [title for title in before if title not in ("Item 42", "Item 7")][:3]


def test_more_changes_than_are_remembered_are_taken_in_all_the_same(
    items: ItemService, redis_server: RedisServer
) -> None:
    client = redis.Redis.from_url(redis_server.url)
    client.xadd(keys.CHANGED_ITEMS, {"ids": '["a"]'})  # where the search begins to read
    load(redis_server.url, "1", [Item("a", "Green tea")])
    wait_for(lambda: titles(items, "tea") == ["Green tea"])
    with client.pipeline(transaction=True) as pipeline:  # seen by the search only when all of it happened
        for item in (Item("b", "Black tea"), Item("c", "White tea")):
            pipeline.set(keys.item("1", item.item_id), item_to_json(item))
            pipeline.zadd(keys.LIVE_ITEMS, {item.item_id: 0})
            pipeline.xadd(keys.CHANGED_ITEMS, {"ids": f'["{item.item_id}"]'})
        pipeline.xtrim(keys.CHANGED_ITEMS, maxlen=1, approximate=False)
        pipeline.execute()
    client.close()
    wait_for(lambda: sorted(titles(items, "tea")) == ["Black tea", "Green tea", "White tea"])
