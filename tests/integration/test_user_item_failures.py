"""The user and item services when Redis hangs, dies and comes back; and as processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import grpc
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from engine.errors import EcrsError, Unavailable
from engine.types import Item, UserEvent, UserProfile
from services import bootstrap
from services.common.rpc import Server
from services.item.client import ItemClient
from services.settings import Settings
from services.user.client import UserClient
from tests.support.redis_server import RedisServer, free_port

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
T = 2.0
DEADLINE_S = 0.3


@pytest.fixture
def settings(redis_server: RedisServer) -> Settings:
    return Settings.model_validate(
        {
            "redis_url": redis_server.url,
            "user_address": f"127.0.0.1:{free_port()}",
            "item_address": f"127.0.0.1:{free_port()}",
        }
    )


@pytest.fixture
def users(settings: Settings) -> Iterator[UserClient]:
    port = int(settings.user_address.partition(":")[2])
    server = Server(bootstrap.user_app(settings), "127.0.0.1", port).start()
    yield bootstrap.user_client(settings)
    server.stop(0.1)


@pytest.fixture
def items(settings: Settings) -> Iterator[ItemClient]:
    port = int(settings.item_address.partition(":")[2])
    server = Server(bootstrap.item_app(settings), "127.0.0.1", port).start()
    yield bootstrap.item_client(settings)
    server.stop(0.1)


def wait_for(condition: Callable[[], bool], timeout_s: float = 10.0) -> bool:
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def health(address: str) -> int:
    with grpc.insecure_channel(address) as channel:
        try:
            answer = health_pb2_grpc.HealthStub(channel).Check(health_pb2.HealthCheckRequest(), timeout=1.0)
        except grpc.RpcError:
            return 0
        return int(answer.status)


@pytest.mark.parametrize("how", ["kill", "pause"])
def test_without_redis_calls_are_unavailable_within_the_deadline_and_then_recover(
    users: UserClient, items: ItemClient, redis_server: RedisServer, settings: Settings, how: str
) -> None:
    users.upsert_users([UserProfile("ann", {"age": "2"})], T)
    items.upsert_items([Item("tea")], T)
    getattr(redis_server, how)()
    for call in (
        lambda: users.get_user("ann", DEADLINE_S),
        lambda: users.get_user_context("ann", 100, DEADLINE_S),
        lambda: users.record_user_events([UserEvent("ann", "tea", "view")], DEADLINE_S),
        lambda: items.get_item("tea", DEADLINE_S),
        lambda: items.list_items(10, "", DEADLINE_S),
    ):
        started = time.monotonic()
        with pytest.raises(EcrsError) as caught:
            call()
        assert time.monotonic() - started < DEADLINE_S + 0.1
        assert isinstance(caught.value, Unavailable)
    assert wait_for(lambda: health(settings.user_address) == 2)
    if how == "kill":
        redis_server.start()
    else:
        redis_server.resume()
    started = time.monotonic()

    def recovered() -> bool:
        try:
            return users.get_user("ann", T).user_id == "ann" and items.get_item("tea", T).item_id == "tea"
        except Unavailable:
            return False

    assert wait_for(recovered)
    assert time.monotonic() - started < 5.0
    assert wait_for(lambda: health(settings.user_address) == 1)


def test_acknowledged_events_survive_kill_9_of_redis(users: UserClient, redis_server: RedisServer) -> None:
    acknowledged: list[str] = []
    stop = threading.Event()

    def record() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            try:
                users.record_user_events([UserEvent("ann", f"i{number}", "view", number)], T)
            except EcrsError:
                return
            acknowledged.append(f"i{number}")

    recorder = threading.Thread(target=record)
    recorder.start()
    assert wait_for(lambda: len(acknowledged) >= 50)
    redis_server.kill()
    stop.set()
    recorder.join()
    redis_server.start()
    kept = {event.item_id for event in _events_when_back(users)}
    assert set(acknowledged) <= kept


def _events_when_back(users: UserClient) -> list[UserEvent]:
    deadline = time.monotonic() + 5.0
    while True:
        try:
            context = users.get_user_context("ann", 1000, T).context
        except Unavailable:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        else:
            return [UserEvent("ann", event.item_id, event.type, event.at) for event in context.events]


def spawn(settings_port: int, redis_url: str, *arguments: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "ECRS_REDIS_URL": redis_url}
    command = [sys.executable, "-m", "services.user", "--port", str(settings_port), *arguments]
    return subprocess.Popen(command, cwd=ROOT, env=environment, stderr=subprocess.PIPE, text=True)


@pytest.mark.parametrize("processes", ["1", "2"])
def test_the_service_as_processes_serves_and_ends_cleanly(redis_server: RedisServer, processes: str) -> None:
    port = free_port()
    process = spawn(port, redis_server.url, "--processes", processes)
    try:
        assert wait_for(lambda: health(f"127.0.0.1:{port}") == 1, 30.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=10) == 0
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", port))  # nothing is left on the port
    finally:
        process.kill()
        process.communicate()


def test_a_killed_worker_is_replaced_and_workers_die_with_their_parent(redis_server: RedisServer) -> None:
    port = free_port()
    process = spawn(port, redis_server.url, "--processes", "2")
    try:
        assert wait_for(lambda: len(_children(process.pid)) == 2 and health(f"127.0.0.1:{port}") == 1, 30.0)
        first = _children(process.pid)
        os.kill(first[0], signal.SIGKILL)
        assert wait_for(
            lambda: len(_children(process.pid)) == 2 and first[0] not in _children(process.pid), 15.0
        )
        workers = _children(process.pid)
        process.kill()
        process.wait()
        assert wait_for(lambda: not any(_alive(pid) for pid in workers), 10.0)
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("processes", ["1", "2"])
def test_a_port_in_use_is_one_clear_line(redis_server: RedisServer, processes: str) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = spawn(port, redis_server.url, "--processes", processes)
        _, errors = process.communicate(timeout=30)
    assert process.returncode == 1
    (line,) = errors.strip().splitlines()
    assert line.startswith(f"error: port {port} on 127.0.0.1 is in use")


def _children(pid: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text("ascii").split()]
    except OSError:
        return []


def _alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text("ascii").rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
