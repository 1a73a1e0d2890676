"""`python -m webapp` as a process: it starts, answers, stops when told, and tells mistakes in one line."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import gevent.socket
import pytest
from flask import Flask
from gevent.pywsgi import WSGIHandler

from tests.unit.webapp.conftest import NOWHERE
from webapp.server import FrontEndServer

pytestmark = pytest.mark.unit

ROOT = Path(__file__).resolve().parents[3]


def start(state: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    """A front end whose services and Redis are not there (ports nobody uses)."""
    return subprocess.Popen(
        [sys.executable, "-m", "webapp", *arguments],
        cwd=ROOT,
        env={
            **os.environ,
            "ECRS_STATE_DIR": str(state),
            "ECRS_REDIS_URL": NOWHERE,
            **environment,
        },
        stderr=subprocess.PIPE,
        text=True,
    )


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def answer(port: int) -> bytes:
    """What `/healthz` says, waiting for the process to come up."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as response:
                return bytes(response.read())
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)


def test_a_front_end_serves_until_it_is_told_to_stop(tmp_path: Path) -> None:
    port = free_port()
    with start(tmp_path, "--port", str(port)) as process:
        try:
            assert b"ok" in answer(port)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0, log
    assert "web.stopped" in log


def test_a_port_in_use_is_one_clear_line(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        with start(tmp_path, "--port", str(port)) as process:
            _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    assert f"error: cannot listen on 127.0.0.1:{port}" in told
    assert "Traceback" not in told


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [("ECRS_REDIS_URL", "nonsense", "ECRS_REDIS_URL"), ("ECRS_SECRET_KEY", "short", "at least 16")],
)
def test_a_wrong_setting_is_one_clear_line(name: str, value: str, told: str, tmp_path: Path) -> None:
    with start(tmp_path, "--port", str(free_port()), **{name: value}) as process:
        _, said = process.communicate(timeout=30)
    assert process.returncode == 1
    assert told in said
    assert "Traceback" not in said


def test_a_body_does_not_wait_for_the_acknowledgement_of_its_headers(app: Flask) -> None:
    options: list[int] = []

    class Handler(WSGIHandler):
        def handle_one_response(self) -> None:
            options.append(self.socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
            super().handle_one_response()

    server = FrontEndServer(app, "127.0.0.1", 0)
    server.handler_class = Handler
    server.start()
    try:
        with gevent.socket.create_connection(("127.0.0.1", server.server_port), timeout=10) as client:
            for _ in range(2):  # the second on the connection that was kept alive
                client.sendall(b"GET /healthz HTTP/1.1\r\nHost: shop\r\n\r\n")
                received = b""
                while not received.partition(b"\r\n\r\n")[2]:
                    received += client.recv(9_000)
                assert received.startswith(b"HTTP/1.1 200")
    finally:
        server.stop(1)
    assert len(options) == 2
    assert all(options)
