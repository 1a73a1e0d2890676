"""Signs of life of worker processes."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import psutil
import pytest

from services.common.rpc.heartbeat import HUNG_S, Pulse
from services.common.rpc.serve import _hold
from tests.support.redis_server import free_port

pytestmark = pytest.mark.unit

TWO_WORKERS = """
import sys
from services.common.rpc import App, Listen, Port, heartbeat, serve
heartbeat.HUNG_S = 2.0
sys.exit(serve(lambda: [App("test", [], ready=lambda: None, close=lambda: None)],
               Listen("127.0.0.1", (Port(int(sys.argv[1]), 2),), processes=2)))
"""


@pytest.fixture
def now() -> list[float]:
    return [100.0]


@pytest.fixture
def pulse(now: list[float]) -> Iterator[Pulse]:
    made = Pulse(clock=lambda: now[0])
    yield made
    made.close()


def lost_after(pulse: Pulse, now: list[float], seconds: float) -> float | None:
    """Look ten times a second; after how many seconds the worker was lost."""
    began = now[0]
    while now[0] < began + seconds:
        now[0] += 0.1
        if pulse.is_lost():
            return now[0] - began
    return None


def test_a_worker_that_has_not_begun_to_beat_may_take_its_time(pulse: Pulse, now: list[float]) -> None:
    assert lost_after(pulse, now, 600) is None


def test_a_worker_that_stops_beating_is_lost(pulse: Pulse, now: list[float]) -> None:
    os.write(pulse.write_end, b".")
    lost = lost_after(pulse, now, 60)
    assert lost is not None
    assert HUNG_S <= lost < HUNG_S + 1


def test_a_parent_that_was_held_up_itself_begins_to_wait_anew(pulse: Pulse, now: list[float]) -> None:
    os.write(pulse.write_end, b".")
    assert not pulse.is_lost()
    now[0] += 1_000
    assert lost_after(pulse, now, 10) is None


def test_a_worker_that_hangs_is_replaced_and_the_other_goes_on() -> None:
    def workers() -> dict[int, psutil.Process]:
        return {child.pid: child for child in psutil.Process(parent.pid).children()}

    root = Path(__file__).resolve().parents[2]
    port = str(free_port())
    with subprocess.Popen(
        [sys.executable, "-c", TWO_WORKERS, port], cwd=root, stdout=subprocess.PIPE
    ) as parent:
        try:
            assert parent.stdout is not None
            listening = 0
            while listening < 2:
                listening += b"listening" in parent.stdout.readline()
            hung, other = workers()
            assert until(lambda: psutil.Process(hung).num_threads() > 1)
            time.sleep(1.0)  # it has beaten by now
            os.kill(hung, signal.SIGSTOP)
            assert until(lambda: hung not in workers() and len(workers()) == 2)
            assert other in workers()
        finally:
            parent.terminate()
            parent.wait(20)


def test_a_port_that_a_connection_of_a_client_still_has_can_be_shared() -> None:
    with socket.socket() as client, ExitStack() as held:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        client.bind(("127.0.0.1", 0))
        port = client.getsockname()[1]
        assert _hold(held, "127.0.0.1", port) == port


def until(condition: Callable[[], bool], seconds: float = 20.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False
