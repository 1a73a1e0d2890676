"""Following what is written to the item store costs what was written, not what is stored."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from engine.errors import Unavailable
from engine.types import Item
from services.common import keys
from services.common.redis import Redis, connect
from services.item.store import RedisItemStore
from tests.support.redis_server import RedisServer

pytestmark = pytest.mark.integration


def item(item_id: str) -> Item:
    return Item(item_id, f"Title {item_id}", ("department1",), "brand1", "shop", 5.0, True)


@pytest.fixture
def client(redis_url: str) -> Iterator[Redis]:
    made = connect(redis_url)
    yield made
    made.close()


@pytest.fixture
def store(client: Redis) -> RedisItemStore:
    return RedisItemStore(client)


def test_nothing_written_is_nothing_told(store: RedisItemStore) -> None:
    cursor, ids = store.written("")
    assert ids == []
    store.write([item("a")])
    assert store.written(cursor)[1] == ["a"]


def test_all_is_told_once_then_only_what_was_written_since(store: RedisItemStore) -> None:
    store.write([item("a"), item("b")])
    store.write([item("c")])
    cursor, ids = store.written("")
    assert ids == ["a", "b", "c"]
    assert store.written(cursor) == (cursor, [])
    store.write([item("d"), item("a")])
    store.write([item("e")])
    later, ids = store.written(cursor)
    assert sorted(ids) == ["a", "d", "e"]
    assert store.written(later) == (later, [])


@pytest.mark.parametrize("kept", [0, 1])
def test_all_is_told_again_where_the_stream_does_not_go_back_so_far(
    store: RedisItemStore, client: Redis, kept: int
) -> None:
    store.write([item("a")])
    cursor, _ = store.written("")
    store.write([item("b")])
    store.write([item("c")])
    client.xtrim(keys.CHANGED_ITEMS, maxlen=kept, approximate=False)
    later, ids = store.written(cursor)
    assert ids == ["a", "b", "c"]
    store.write([item("d")])
    assert "d" in store.written(later)[1]


def test_a_store_that_was_emptied_is_read_anew(store: RedisItemStore, client: Redis) -> None:
    store.write([item("a")])
    cursor, _ = store.written("")
    client.flushdb()
    store.write([item("b")])
    assert store.written(cursor)[1] == ["b"]


def test_while_redis_is_away_it_is_unavailable(redis_server: RedisServer) -> None:
    client = connect(redis_server.url)
    store = RedisItemStore(client)
    store.write([item("a")])
    cursor, _ = store.written("")
    redis_server.kill()
    with pytest.raises(Unavailable):
        store.written(cursor)
    redis_server.start()
    assert store.written(cursor) == (cursor, [])
    client.close()
