"""`make up`, `status` and `down` for real: one start of the whole, on the sample data and its own ports."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc
import pytest
from ecrs.recommend.v1 import recommend_service_pb2 as pb
from ecrs.recommend.v1 import recommend_service_pb2_grpc as stubs

from scripts.supervision.leftovers import find_leftovers, port_is_free
from scripts.supervision.parts import nginx_program
from services.settings import PORTS, ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(400)]

PARTS = tuple(name for name in PORTS if name != "nginx" or nginx_program())
BACK_WITHIN_S = 30.0


def free_offset() -> int:
    """An offset at which no port of the system is taken."""
    for offset in range(20_000 + os.getpid() % 5_000, 40_000, 37):
        if all(port_is_free("127.0.0.1", port + offset) for port in PORTS.values()):
            return offset
    raise AssertionError("no free ports")


@dataclass
class Shop:
    """A running copy of the system, with folders and ports of its own."""

    folder: Path
    offset: int = field(default_factory=free_offset)

    @property
    def state_dir(self) -> Path:
        return self.folder / "s"

    def command(self, name: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
        """Run `python -m scripts.<name>` with this copy's settings."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ECRS_")},
            "ECRS_STATE_DIR": str(self.state_dir),
            "ECRS_PREPARED_DIR": str(self.folder / "prepared"),
            "ECRS_ARTIFACTS_DIR": str(self.folder / "releases"),
            "ECRS_DATASET": "sample",
            "ECRS_PORT_OFFSET": str(self.offset),
            **settings,
        }
        return subprocess.run(
            [sys.executable, "-m", f"scripts.{name}", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=300,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def status(self) -> dict[str, dict[str, Any]]:
        rows = json.loads(self.command("status", "--json").stdout)
        return {row["part"]: row for row in rows}

    def wait_until_back(self, name: str, old_pid: int) -> dict[str, Any]:
        deadline = time.monotonic() + BACK_WITHIN_S
        while True:
            row = self.status()[name]
            if row["health"] == "ok" and row["pid"] not in {0, old_pid}:
                return row
            assert time.monotonic() < deadline, f"{name} is not back: {row}"
            time.sleep(0.2)


class Shopper:
    """Light load: asks for a list about ten times a second and counts what comes."""

    def __init__(self, address: str) -> None:
        self._address, self._stop = address, threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.lists = 0
        self.failures: list[str] = []

    def __enter__(self) -> Shopper:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        with grpc.insecure_channel(
            self._address, options=[("grpc.max_reconnect_backoff_ms", 500)]
        ) as channel:
            stub = stubs.RecommendServiceStub(channel)
            while not self._stop.wait(0.1):
                try:
                    answer = stub.Recommend(pb.RecommendRequest(user_id="1", page_size=5), timeout=5)
                    assert len(answer.items) == 5
                    self.lists += 1
                except (grpc.RpcError, AssertionError) as error:
                    self.failures.append(str(error))


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """The sample's shop, started by `make up` from nothing: prepared, trained, loaded."""
    shop = Shop(tmp_path_factory.mktemp("up"))
    done = shop.command("up")
    try:
        assert done.returncode == 0, done.stdout + done.stderr
        assert "curl " in done.stdout
        assert "grpcurl " in done.stdout
        yield shop
    finally:
        shop.command("down")


def test_every_part_is_healthy_after_the_start(shop: Shop) -> None:
    rows = shop.status()

    assert set(rows) == set(PARTS)
    assert {row["health"] for row in rows.values()} == {"ok"}
    assert {row["port"] for row in rows.values()} == {PORTS[name] + shop.offset for name in PARTS}
    assert rows["serving"]["release"].startswith("sample-")
    assert shop.command("status").returncode == 0


@pytest.mark.parametrize("name", PARTS)
def test_a_killed_part_is_back_and_the_shopper_gets_lists_meanwhile(shop: Shop, name: str) -> None:
    killed = shop.status()[name]["pid"]

    with Shopper(f"127.0.0.1:{PORTS['recommend'] + shop.offset}") as shopper:
        time.sleep(0.5)
        os.kill(killed, signal.SIGKILL)
        row = shop.wait_until_back(name, killed)

    assert row["state"] in {"running", "starting"}
    assert shopper.lists > 0
    if name != "recommend":
        assert shopper.failures == []


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


def releases(shop: Shop) -> set[str]:
    """The releases that PaddleServing and the pointer's followers work with, and that `current` names."""
    named = (shop.folder / "releases" / "current").read_text().strip()
    return {row["release"] for row in shop.status().values() if row["release"]} | {named}


def test_a_release_is_switched_and_rolled_back_and_a_damaged_one_changes_nothing(shop: Shop) -> None:
    (old,) = releases(shop)
    assert shop.command("train").returncode == 0

    with Shopper(f"127.0.0.1:{PORTS['recommend'] + shop.offset}") as shopper:
        switched = shop.command("release")
        (new,) = releases(shop)
        rolled_back = shop.command("release", "--rollback")
    now = releases(shop)
    with (shop.folder / "releases" / new / "channels.json").open("a") as file:
        file.write(" ")
    damaged = shop.command("release", new)

    assert switched.returncode == 0, switched.stdout + switched.stderr
    assert new != old
    assert rolled_back.returncode == 0, rolled_back.stdout + rolled_back.stderr
    assert now == releases(shop) == {old}
    assert shopper.failures == []
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


def test_after_the_stop_nothing_is_left(shop: Shop) -> None:
    done = shop.command("down")

    assert done.returncode == 0, done.stderr
    assert find_leftovers(shop.state_dir) == []
    assert all(port_is_free("127.0.0.1", port + shop.offset) for port in PORTS.values())
    assert not list(shop.state_dir.glob("*.sock"))
    assert shop.command("status").returncode == 1
