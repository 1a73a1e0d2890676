"""Fixtures for every kind of test."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
import redis

from tests.support.redis_server import RedisServer
from tests.support.shop import Shop


@pytest.fixture(scope="session")
def _shared_redis(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), fsync="everysec").start()
    yield server
    server.stop()


@pytest.fixture
def redis_url(_shared_redis: RedisServer) -> str:
    """URL of a real, empty Redis; one server for the whole session."""
    client = redis.Redis.from_url(_shared_redis.url)
    client.flushall()
    client.close()
    return _shared_redis.url


@pytest.fixture
def redis_server(tmp_path: Path) -> Iterator[RedisServer]:
    """A real Redis of the test's own, to be killed, paused and started again."""
    server = RedisServer(tmp_path / "redis-data").start()
    yield server
    server.stop()


@pytest.fixture(scope="session")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The sample's shop, started by `make up` from nothing (prepared, trained, loaded), once for all tests.

    `tests/integration/test_up.py` kills its parts and stops it at last; the browser's tests come before.
    """
    shop = Shop(tmp_path_factory.mktemp("up"))
    done = shop.command("up")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "curl " in done.stdout
        assert "grpcurl " in done.stdout
        yield shop
    finally:
        shop.command("down")


@pytest.fixture
def shop_url(request: pytest.FixtureRequest, shop: Shop) -> str:
    """The running shop's address for browsers.

    Desktops come through Nginx, phones to a front end itself: half of the tests to each.
    """
    if "phone" in request.node.name:
        return shop.front_ends[crc32(request.node.name.encode()) % 2]
    return shop.url


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Iterator[None]:
    """See `_no_skips_in_ci`."""
    outcome: Any = yield
    _no_skips_in_ci(item.nodeid, outcome.get_result())


@pytest.hookimpl(hookwrapper=True)
def pytest_make_collect_report(collector: pytest.Collector) -> Iterator[None]:
    """See `_no_skips_in_ci`."""
    outcome: Any = yield
    _no_skips_in_ci(collector.nodeid, outcome.get_result())


def _no_skips_in_ci(name: str, report: pytest.TestReport | pytest.CollectReport) -> None:
    """In CI everything a test needs is installed: there a skipped test or module is a failure."""
    in_ci = os.environ.get("CI", "") not in {"", "false"}
    if in_ci and report.skipped and not hasattr(report, "wasxfail"):
        report.outcome = "failed"
        report.longrepr = f"{name} was skipped, which CI does not allow: {report.longrepr}"
