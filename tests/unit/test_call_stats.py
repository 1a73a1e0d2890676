"""Live figures: counts and percentiles of the last minute, and their way into Redis."""

from __future__ import annotations

import json
import sys
import time

import pytest
import redis

from engine.errors import Unavailable
from services import __version__, bootstrap
from services.common import keys
from services.common.publisher import Publisher
from services.common.redis import connect
from services.common.rpc import CallStats, Server
from services.settings import ROOT, Settings
from tests.support.redis_server import free_port

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

pytestmark = pytest.mark.unit

METHOD = "/ecrs.item.v1.ItemService/GetItem"


class Clock:
    """Seconds that the test sets."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def stats(clock: Clock) -> CallStats:
    return CallStats(clock)


def test_percentiles_are_near_the_true_ones(stats: CallStats) -> None:
    for number in range(1, 1_001):  # 0.1 to 100 ms, evenly
        stats.observe(METHOD, "OK", number / 1e4)
    figures = stats.last_minute()["GetItem"]
    assert figures["count"] == 1_000
    assert figures["p50_ms"] == pytest.approx(50, rel=0.05)
    assert figures["p95_ms"] == pytest.approx(95, rel=0.05)
    assert figures["p99_ms"] == pytest.approx(99, rel=0.05)


def test_only_what_is_our_fault_counts_as_an_error(stats: CallStats) -> None:
    for code in ("OK", "NOT_FOUND", "INVALID_ARGUMENT", "INTERNAL", "UNAVAILABLE", "DEADLINE_EXCEEDED"):
        stats.observe(METHOD, code, 0.001)
    assert stats.last_minute()["GetItem"]["count"] == 6
    assert stats.last_minute()["GetItem"]["errors"] == 3


def test_what_is_older_than_a_minute_no_longer_counts(stats: CallStats, clock: Clock) -> None:
    stats.observe(METHOD, "INTERNAL", 0.1)
    assert stats.last_minute()["GetItem"]["count"] == 1
    for _ in range(31):
        clock.now += 2
        stats.last_minute()
    stats.observe(METHOD, "OK", 0.001)
    figures = stats.last_minute()["GetItem"]
    assert (figures["count"], figures["errors"]) == (1, 0)
    assert figures["p99_ms"] < 2
    for _ in range(31):
        clock.now += 2
        stats.last_minute()
    assert stats.last_minute() == {}


def test_a_call_of_a_minute_is_counted_and_slow_ones_are_cut_at_the_last_bound(stats: CallStats) -> None:
    stats.observe(METHOD, "OK", 3_600.0)
    assert stats.last_minute()["GetItem"]["p50_ms"] == pytest.approx(10_950, rel=0.01)


def test_counting_a_call_costs_next_to_nothing(stats: CallStats) -> None:
    started = time.process_time()
    for _ in range(2_000):
        stats.observe(METHOD, "OK", 0.01)
    assert (time.process_time() - started) / 2_000 < 100e-6


def test_a_served_call_is_in_the_figures_that_the_console_reads(redis_url: str) -> None:
    settings = Settings.model_validate({"redis_url": redis_url, "_env_file": None})
    server = Server(bootstrap.user_app(settings), "127.0.0.1", 0).start()
    address = f"127.0.0.1:{server.port}"
    users = bootstrap.user_client(settings.model_copy(update={"user_address": address}))
    users.batch_get_users(["a"], 2.0)
    store = redis.Redis.from_url(redis_url)
    deadline = time.monotonic() + 6.0
    while not (found := store.keys("ecrs:stats:user:*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    figures = json.loads(store.get(found[0]))  # type: ignore[arg-type]
    assert {name: figures[name] for name in ("service", "release", "version")} == {
        "service": "user", "release": "", "version": __version__,
    }  # fmt: skip
    assert abs(figures["started_at"] - time.time()) < 60
    assert figures["rpcs"]["BatchGetUsers"]["count"] == 1
    assert set(figures["rpcs"]["BatchGetUsers"]) == {"count", "errors", "p50_ms", "p95_ms", "p99_ms"}
    assert 0 < store.ttl(keys.stats("user", figures["pid"])) <= 10  # type: ignore[operator]
    server.stop(0.2)


def test_without_redis_nothing_but_the_figures_is_missing() -> None:
    nowhere = connect(f"redis://127.0.0.1:{free_port()}/0")
    publisher = Publisher("user", dict, str, "1", nowhere, every_s=0.01).open()
    with pytest.raises(Unavailable):
        publisher.publish()
    publisher.close()


def test_the_version_is_the_project_s() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert __version__ == project["version"]
