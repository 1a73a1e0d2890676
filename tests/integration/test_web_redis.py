"""Two web front ends on one Redis: what they share, what never, and what they do when it goes away."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
import redis
from flask.testing import FlaskClient

from services.common import keys
from services.settings import Settings
from tests.support.redis_server import RedisServer
from tests.unit.webapp.fake_stores import DATASET_TOML
from tests.unit.webapp.fakes import FakeServices, make_services
from webapp import create_app
from webapp.cache_counters import KEY
from webapp.shop import cache_stats

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.integration


def front_end(services: FakeServices, state: Path, redis_url: str) -> FlaskClient:
    settings = Settings(state_dir=state, prepared_dir=state, redis_url=redis_url)
    return create_app(settings, services).test_client()


def test_the_popular_rail_is_made_once_for_all_front_ends(tmp_path: Path, redis_url: str) -> None:
    services = make_services()
    for _ in range(2):
        assert front_end(services, tmp_path, redis_url).get("/").status_code == 200
    assert [query.placement for query in services.recommend.asked].count("popular") == 1


def test_a_session_begun_at_one_front_end_goes_on_at_the_other(tmp_path: Path, redis_url: str) -> None:
    services = make_services()
    first, second = (front_end(services, tmp_path, redis_url) for _ in range(2))
    first.get("/")
    cookie = first.get_cookie("ecrs_session")
    assert cookie is not None
    second.set_cookie("ecrs_session", cookie.value)
    second.get("/")
    asked = [query.user_id for query in services.recommend.asked if query.placement == "home"]
    assert len(asked) == 2
    assert len(set(asked)) == 1


def test_only_shared_data_is_in_redis_and_it_is_json(tmp_path: Path, redis_url: str) -> None:
    services = make_services()
    client = front_end(services, tmp_path, redis_url)
    client.get("/")
    client.get("/signin")
    store = redis.Redis.from_url(redis_url, decode_responses=True)
    kept = {str(key): str(store.get(key)) for key in store.scan_iter("ecrs:web:*") if key != KEY}
    assert sorted(kept) == [
        "ecrs:web:personas:",
        "ecrs:web:rail:new",
        "ecrs:web:rail:popular",
        "ecrs:web:rail:trending",
    ]
    assert all(isinstance(json.loads(value), list) for value in kept.values())
    assert "anon-" not in str(kept).replace("anon-shop-window", "")


def test_hits_and_misses_of_all_front_ends_are_counted_together(tmp_path: Path, redis_url: str) -> None:
    services = make_services()
    for _ in range(2):
        client = front_end(services, tmp_path, redis_url)
        client.get("/")
        with client.application.app_context():
            rails = cache_stats()["rail"]  # which sends what this one counted
    assert (rails.hits, rails.misses) == (3, 3)


def test_the_description_left_by_a_load_is_shown(tmp_path: Path, redis_url: str) -> None:
    redis.Redis.from_url(redis_url).set(keys.DATASET, json.dumps(tomllib.loads(DATASET_TOML)))
    page = front_end(make_services(), tmp_path, redis_url).get("/").get_data(as_text=True)
    assert "Corner Market" in page


def test_pages_and_the_popular_stand_in_outlive_redis(tmp_path: Path, redis_server: RedisServer) -> None:
    services = make_services()
    client = front_end(services, tmp_path, redis_server.url)
    assert client.get("/").status_code == 200
    redis_server.kill()
    assert client.get("/").status_code == 200
    assert client.get("/signin").status_code == 200
