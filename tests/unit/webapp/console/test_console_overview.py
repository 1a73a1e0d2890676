"""The console's first page: health, release, live figures, and what is left of it when parts are away."""

from __future__ import annotations

import html
import json
import re
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import redis
from flask.testing import FlaskClient

from services.common import keys
from services.settings import Settings
from tests.support.redis_server import RedisServer
from tests.unit.webapp.console.conftest import app_of
from tests.unit.webapp.console.world import make_world
from webapp.console import publisher as publisher_of
from webapp.console.attempts import Attempts
from webapp.console.history import History, figures_over_time
from webapp.console.live import LiveFigures

pytestmark = pytest.mark.unit

NAME = "demo-20250101T000000Z"
OWN = {"service": "web", "pid": 1, "rpcs": {}}
MANIFEST = {
    "release": NAME,
    "dataset": "demo",
    "created_at": "2025-01-01T00:00:00+00:00",
    "data_window": {"start": 1_483_271_606_000, "end": 1_514_779_280_001},
    "config": {"name": "quick"},
    "n_items": 15_000,
    "n_users": 2_469,
    "embedding_dim": 64,
    "fingerprint": "ab" * 32,
    "metrics": {"gate_passed": True, "ranker_auc": 0.86332, "pipeline": {"recall_at_20": 0.3239}},
    "versions": {"paddle": "3.3.1"},
}


def figures(service: str, pid: int, **changes: Any) -> str:
    return json.dumps(
        {
            "service": service,
            "pid": pid,
            "release": NAME,
            "version": "1.2.3",
            "started_at": 1.0,
            "rpcs": {"Recommend": {"count": 120, "errors": 3, "p50_ms": 10, "p95_ms": 20, "p99_ms": 30}},
            **changes,
        }
    )


def write_release(artifacts: Path, name: str = NAME, **changes: Any) -> None:
    (artifacts / name).mkdir(parents=True)
    (artifacts / name / "manifest.json").write_text(json.dumps({**MANIFEST, "release": name, **changes}))


def text(client: FlaskClient, path: str = "") -> str:
    answer = client.get(f"/console/{path}")
    assert answer.status_code == 200
    return html.unescape(answer.get_data(as_text=True))


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    started = RedisServer(tmp_path_factory.mktemp("redis"), "everysec").start()
    yield started
    started.stop()


@pytest.fixture
def store(server: RedisServer) -> Iterator[redis.Redis]:
    client = redis.Redis.from_url(server.url)
    client.flushall()
    yield client
    client.close()


def test_without_anything_the_page_says_what_is_away(client: FlaskClient) -> None:
    page = text(client)
    assert page.count("does not listen") + page.count("does not answer") >= 8
    assert "Redis does not answer: rates and latencies" in page
    assert "No release is current yet" in page
    assert "console.index" in text(client)  # this process's own figures are known all the same


def test_the_current_release_with_its_metrics_and_window(
    client: FlaskClient, console_settings: Settings
) -> None:
    artifacts = console_settings.artifacts_dir
    write_release(artifacts)
    write_release(artifacts, "demo-20240101T000000Z", created_at="2024-01-01T00:00:00+00:00", metrics={})
    (artifacts / "current").write_text(NAME)
    page = text(client)
    assert "2017-01-01 – 2018-01-01" in page
    assert "0.3239" in page
    assert "0.8633" in page
    assert "passed" in page
    assert f"{NAME} ←" in page
    assert "demo-20240101T000000Z" in page
    assert "paddle" in page


@pytest.mark.parametrize("manifest", ["", "[]", "{]", '{"metrics": 5}', '{"n_items": "many"}', "\x00"])
def test_a_damaged_manifest_spoils_nothing(
    client: FlaskClient, console_settings: Settings, manifest: str
) -> None:
    write_release(console_settings.artifacts_dir)
    folder = console_settings.artifacts_dir / "broken"
    folder.mkdir()
    (folder / "manifest.json").write_text(manifest)
    (console_settings.artifacts_dir / "current").write_text("broken")
    page = text(client)
    assert "broken is current, but its manifest cannot be read here." in page
    assert NAME in page


def test_redis_names_the_release_and_has_everybody_s_figures(
    console_settings: Settings, store: redis.Redis, server: RedisServer
) -> None:
    write_release(console_settings.artifacts_dir)
    store.set(keys.RELEASE, NAME)
    store.set("ecrs:stats:recommend:10", figures("recommend", 10))
    store.set("ecrs:stats:recommend:11", figures("recommend", 11, release="demo-older"))
    client = app_of(console_settings, make_world(), redis_url=server.url).test_client()
    page = text(client)
    assert "named by Redis" in page
    assert re.search(r"recommend.*4\.00.*240.*6.*10\.0.*20\.0.*30\.0", page, re.DOTALL)
    assert "several" in page  # two processes of one service with different releases
    assert "1.2.3" in page
    assert re.search(r"redis</th>.*?<td>[678]\.[0-9.]+</td>", page, re.DOTALL)


def test_figures_of_several_processes_are_added(store: redis.Redis) -> None:
    faster = {"Recommend": {"count": 60, "errors": 0, "p50_ms": 5, "p95_ms": 50, "p99_ms": 60}}
    store.set("ecrs:stats:recommend:10", figures("recommend", 10))
    store.set("ecrs:stats:recommend:11", figures("recommend", 11, rpcs=faster))
    live = LiveFigures(store).read(lambda: OWN)
    [one] = [found for found in live.figures if found.service == "recommend"]
    assert (one.count, one.errors, one.rate) == (180, 3, 3.0)
    assert (one.p50_ms, one.p95_ms, one.p99_ms) == (10, 50, 60)
    assert [process.pid for process in live.of("recommend")] == [10, 11]


@pytest.mark.parametrize(
    "damaged", ["", "nothing", "[]", '{"service": "x"}', '{"service":"x","pid":1,"rpcs":[1]}']
)
def test_damaged_figures_are_left_out(store: redis.Redis, damaged: str) -> None:
    store.set("ecrs:stats:x:1", damaged)
    store.set("ecrs:stats:recommend:10", figures("recommend", 10))
    live = LiveFigures(store).read(lambda: OWN)
    assert {one.service for one in live.figures} == {"recommend"}


def test_curves_appear_with_the_second_sample(
    console_settings: Settings, store: redis.Redis, server: RedisServer
) -> None:
    store.set("ecrs:stats:recommend:10", figures("recommend", 10))
    client = app_of(console_settings, make_world(), redis_url=server.url).test_client()
    assert "<polyline" not in text(client, "live")
    store.delete("ecrs:console:history:taken")
    assert "<polyline" in text(client, "live")


def test_history_takes_one_sample_at_a_time_and_forgets_old_ones(store: redis.Redis) -> None:
    now = [1_000_000.0]
    history = History(store, clock=lambda: now[0])
    assert figures_over_time(history.add({"a": 1.0}), "a") == [1.0]
    assert figures_over_time(history.add({"a": 2.0}), "a") == [1.0]  # too soon
    store.delete("ecrs:console:history:taken")
    now[0] += 10
    store.lpush("ecrs:console:history", "damaged")
    assert figures_over_time(history.add({"a": 3.0, "b": 1.0}), "b") == [None, 1.0]
    now[0] += 1000
    assert history.add({}) == []


def test_the_live_part_is_a_piece_whose_links_lead_to_the_whole_page(client: FlaskClient) -> None:
    client.get("/console/")
    piece = text(client, "live?rpcs_sort=-p95")
    assert "<html" not in piece
    assert 'href="/console/?rpcs_sort=p95#rpcs"' in piece
    assert 'href="/console/live' not in piece


def test_a_service_that_answers_is_shown_as_such(console_settings: Settings) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        place = f"127.0.0.1:{listening.getsockname()[1]}"
        client = app_of(
            console_settings, make_world(), milvus_uri=f"http://{place}", rank_predictor="onnx://"
        ).test_client()
        page = text(client)
    row = page.partition('<th scope="row">milvus</th>')[2].partition("</tr>")[0]
    assert "ok" in row
    assert place in row
    assert '<th scope="row">serving</th>' not in page  # the ranker runs inside rank


def test_the_web_tier_counts_its_own_answers(client: FlaskClient) -> None:
    for _ in range(3):
        client.get("/console/items")
    page = text(client)
    assert re.search(r"console\.items</td><td[^>]*>0\.05</td><td[^>]*>3</td><td[^>]*>0<", page)


def test_the_web_tier_publishes_its_figures_where_the_services_do(
    console_settings: Settings, store: redis.Redis, server: RedisServer
) -> None:
    app = app_of(console_settings, make_world(), redis_url=server.url)
    app.test_client().get("/console/items")
    publisher = publisher_of(app)
    publisher.publish()
    [key] = store.keys("ecrs:stats:web:*")
    assert 0 < store.ttl(key) <= 20
    live = LiveFigures(store).read(lambda: OWN)
    assert [one.method for one in live.figures] == ["console.items"]
    assert live.processes[0].version


def test_keys_are_looked_for_rarely_and_read_each_time(store: redis.Redis) -> None:
    now = [0.0]
    live = LiveFigures(store, clock=lambda: now[0])
    store.set("ecrs:stats:recommend:10", figures("recommend", 10))
    assert len(live.read(lambda: OWN).of("recommend")) == 1
    store.set("ecrs:stats:recommend:11", figures("recommend", 11))
    assert len(live.read(lambda: OWN).of("recommend")) == 1
    now[0] += 20
    assert len(live.read(lambda: OWN).of("recommend")) == 2
    store.delete("ecrs:stats:recommend:10")
    assert len(live.read(lambda: OWN).of("recommend")) == 1


def test_tries_are_counted_for_all_front_ends_together(store: redis.Redis) -> None:
    one, other = Attempts(store, clock=lambda: 600.0), Attempts(store, clock=lambda: 600.0)
    assert [one.allow("a"), other.allow("a"), one.allow("a"), other.allow("a"), one.allow("a")] == [True] * 5
    assert not other.allow("a")
    assert other.allow("b")
    assert Attempts(store, clock=lambda: 660.0).allow("a")


def test_guessing_from_many_addresses_is_limited_too(store: redis.Redis) -> None:
    attempts = Attempts(store, clock=lambda: 600.0)
    assert [attempts.allow(str(number)) for number in range(31)] == [True] * 30 + [False]
