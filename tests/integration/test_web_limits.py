"""Rate limits over two front ends on one Redis, and what becomes of them when it goes away."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from services.settings import Settings
from tests.support.redis_server import RedisServer
from tests.unit.webapp.fakes import make_services
from tests.unit.webapp.stores import memory_stores
from webapp import create_app

pytestmark = pytest.mark.integration

GUESSES = 30  # that one address has in a minute


def front_end(state: Path, redis_url: str) -> FlaskClient:
    settings = Settings(state_dir=state, prepared_dir=state, redis_url=redis_url)
    return create_app(settings, make_services(), "SimpleCache", memory_stores()).test_client()


def guess(client: FlaskClient) -> int:
    token = re.search(r'name="csrf_token" value="([^"]+)"', client.get("/signin").get_data(as_text=True))
    assert token
    return client.post("/signin", data={"csrf_token": token[1], "user_id": "nobody"}).status_code


def test_an_address_is_counted_over_all_front_ends(tmp_path: Path, redis_url: str) -> None:
    clients = [front_end(tmp_path, redis_url) for _ in range(2)]
    statuses = [guess(clients[number % 2]) for number in range(GUESSES + 2)]
    assert statuses == [404] * GUESSES + [429] * 2
    counters = [key for key in redis.Redis.from_url(redis_url).scan_iter() if b"limit" in key]
    assert counters
    assert all(b"ecrs:web:limit" in key for key in counters)


def test_without_redis_each_front_end_counts_for_itself(tmp_path: Path, redis_server: RedisServer) -> None:
    client = front_end(tmp_path, redis_server.url)
    assert guess(client) == 404
    redis_server.kill()
    statuses = [guess(client) for _ in range(GUESSES + 1)]
    assert statuses == [404] * GUESSES + [429]
