"""`make up`, `status` and `down` for real: one start of the whole, on the sample data and its own ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import time
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager

import grpc
import pytest
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from scripts.supervision.leftovers import find_leftovers, port_is_free
from scripts.supervision.parts import nginx_program
from services.common.rpc import Target
from services.item.client import ItemClient
from services.settings import PORTS, SERVICES
from services.user.client import UserClient
from tests.support.repeated import Repeated
from tests.support.shop import Shop, free_offset
from tests.support.writers import Writers

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PARTS = tuple(name for name in PORTS if name != "nginx" or nginx_program())


def lists(shop: Shop) -> Repeated:
    """Load on `Recommend`: each answer a whole list."""
    channel = grpc.insecure_channel(
        f"127.0.0.1:{PORTS['recommend'] + shop.offset}", options=[("grpc.max_reconnect_backoff_ms", 500)]
    )
    stub = stubs.RecommendServiceStub(channel)

    def ask() -> None:
        answer = stub.Recommend(pb.RecommendRequest(user_id="1", page_size=5), timeout=5)
        assert len(answer.items) == 5

    return Repeated(ask)


def pages(url: str) -> Repeated:
    """Load on the home page: each answer with products on it."""

    def ask() -> None:
        with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 - our own address
            assert answer.read().count(b'action="/events"') >= 5

    return Repeated(ask)


def test_every_part_is_healthy_after_the_start(shop: Shop) -> None:
    rows = shop.status()

    assert set(rows) == set(PARTS)
    assert {row["health"] for row in rows.values()} == {"ok"}
    assert {row["port"] for row in rows.values()} == {PORTS[name] + shop.offset for name in PARTS}
    assert rows["serving"]["release"].startswith("sample-")
    shown = shop.command("status")
    assert shown.returncode == 0
    assert "live events are in Redis only" in shown.stdout


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_is_back_and_the_shopper_gets_lists_meanwhile(shop: Shop, name: str) -> None:
    killed = shop.status()[name]["pid"]

    # Without Nginx in front of it, the other front end answers.
    page = shop.url if name != "nginx" else f"http://127.0.0.1:{PORTS['web2'] + shop.offset}"

    with lists(shop) as asked, pages(page) as visited:
        time.sleep(0.5)
        os.kill(killed, signal.SIGKILL)
        row = shop.wait_until_back(name, killed)

    assert row["state"] in {"running", "starting"}
    assert asked.answers > 0
    assert visited.answers > 0
    assert visited.failures == []
    if name != "recommend":
        assert asked.failures == []


def test_a_second_start_is_quick_and_leaves_what_runs_alone(shop: Shop) -> None:
    before = {name: row["pid"] for name, row in shop.status().items()}

    began = time.monotonic()
    done = shop.command("up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 20
    assert {name: row["pid"] for name, row in shop.status().items()} == before


def test_a_port_in_use_by_another_program_is_one_line(shop: Shop) -> None:
    other = free_offset()
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", PORTS["rank"] + other))
        taken.listen()
        state = str(shop.folder / "t")
        done = shop.command("up", ECRS_STATE_DIR=state, ECRS_PORT_OFFSET=str(other))
        shop.command("down", ECRS_STATE_DIR=state)

    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert f"port {PORTS['rank'] + other} (rank service) is in use by pid {os.getpid()}" in done.stderr


def test_the_state_folder_alone_tells_commands_which_copy_is_meant(shop: Shop) -> None:
    asked = shop.command("status", "--json", only_state=True)
    elsewhere = shop.command("status", only_state=True, ECRS_PORT_OFFSET="7")

    assert asked.returncode == 0, asked.stdout + asked.stderr
    assert {row["port"] - shop.offset for row in json.loads(asked.stdout)} == {PORTS[name] for name in PARTS}
    assert elsewhere.returncode == 1
    assert elsewhere.stderr.count("\n") == 1
    assert f"ECRS_PORT_OFFSET is 7 in the environment or .env, but {shop.offset} for" in elsewhere.stderr


def releases(shop: Shop) -> set[str]:
    """The releases that PaddleServing and the pointer's followers work with, and that `current` names."""
    named = (shop.folder / "releases" / "current").read_text().strip()
    return {row["release"] for row in shop.status().values() if row["release"]} | {named}


@contextmanager
def writers(shop: Shop) -> Iterator[Writers]:
    """Writers of some of the sample's users and items, through the running services."""
    opened = [Target(name, f"127.0.0.1:{PORTS[name] + shop.offset}").open() for name in ("user", "item")]
    with closing(opened[0]), closing(opened[1]):
        users, items = UserClient(opened[0]), ItemClient(opened[1])
        user_ids = [user.user_id for user in users.list_users(40, "", 5.0)[0] if user.user_id != "1"]
        item_ids = [item.item_id for item in items.list_items(20, "", 5.0)[0]]
        with Writers(users, items, user_ids, item_ids, pause_s=0.1) as working:
            yield working
        working.assert_all_as_written()
        items.set_availability(list(working.available), True, 5.0)


@pytest.mark.timeout(1200)  # ten times a restart of PaddleServing
def test_releases_are_switched_ten_times_under_writes_and_a_damaged_one_changes_nothing(shop: Shop) -> None:
    (old,) = releases(shop)
    assert shop.command("train").returncode == 0
    trained = releases(shop)

    with lists(shop) as asked, writers(shop):
        switched = shop.command("release", only_state=True)
        (new,) = releases(shop)
        rolled_back = [shop.command("release", "--rollback") for _ in range(9)]
    now = releases(shop)
    with (shop.folder / "releases" / new / "channels.json").open("a") as file:
        file.write(" ")
    damaged = shop.command("release", new)

    assert switched.returncode == 0, switched.stdout + switched.stderr
    assert trained == {old}
    assert new != old
    assert [done.returncode for done in rolled_back] == [0] * 9, rolled_back
    assert now == releases(shop) == {old}
    assert asked.failures == []
    assert damaged.returncode == 1
    assert damaged.stderr.count("\n") == 1
    assert "channels.json" in damaged.stderr


def test_a_killed_supervisor_is_replaced_and_everything_runs_again(shop: Shop) -> None:
    os.kill(int((shop.state_dir / "supervisord.pid").read_text()), signal.SIGKILL)

    began = time.monotonic()
    done = shop.command("up")

    assert done.returncode == 0, done.stdout + done.stderr
    assert time.monotonic() - began < 40
    assert {row["health"] for row in shop.status().values()} == {"ok"}


def test_the_same_copy_runs_its_services_together_and_the_state_folder_remembers_it(shop: Shop) -> None:
    done = shop.command("up", "--timeout", "300", ECRS_TOPOLOGY="together")
    assert done.returncode == 0, done.stdout + done.stderr

    rows = shop.status()
    elsewhere = shop.command("status", ECRS_TOPOLOGY="separate")
    killed = rows["together"]["pid"]
    with pages(shop.url) as visited:
        time.sleep(0.5)
        os.killpg(killed, signal.SIGKILL)
        shop.wait_until_back("together", killed, 90.0)  # all services at once: a loaded machine takes longer

    assert set(rows) == {*PARTS, "together"}
    assert {row["health"] for row in rows.values()} == {"ok"}
    assert {rows[name]["pid"] for name in SERVICES} == {killed}
    assert elsewhere.returncode == 1
    assert "ECRS_TOPOLOGY is separate in the environment or .env, but together for" in elsewhere.stderr
    assert visited.answers > 0
    assert visited.failures == []


def test_after_the_stop_nothing_is_left(shop: Shop) -> None:
    done = shop.command("down")

    assert done.returncode == 0, done.stderr
    assert find_leftovers(shop.state_dir) == []
    assert all(port_is_free("127.0.0.1", port + shop.offset) for port in PORTS.values())
    assert not list(shop.state_dir.glob("*.sock"))
    assert shop.command("status").returncode == 1
