"""The parts of bench.web that can be wrong without a running system."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import PIPE, Popen
from typing import ClassVar

import pytest

from bench import cpu, web

pytestmark = pytest.mark.unit


class Pages(BaseHTTPRequestHandler):
    """Answers every path but `/lost`, on connections that are kept alive."""

    protocol_version = "HTTP/1.1"
    asked: ClassVar[list[str]] = []
    clients: ClassVar[set[tuple[str, int]]] = set()

    def do_GET(self) -> None:
        self.asked.append(self.path)
        self.clients.add(self.client_address)
        self.send_response(404 if self.path == "/lost" else 200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture
def port() -> Iterator[int]:
    Pages.asked.clear()
    Pages.clients.clear()
    with ThreadingHTTPServer(("127.0.0.1", 0), Pages) as server:
        threading.Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


def test_a_run_asks_for_the_pages_in_turn_over_so_many_connections(port: int) -> None:
    result = web.load(port, ["/a", "/b"], seconds=0.3, connections=2)

    assert result.failed == 0
    assert len(result.took_s) == len(Pages.asked) > 4
    assert abs(Pages.asked.count("/a") - Pages.asked.count("/b")) <= 2
    assert len(Pages.clients) == 2


def test_a_page_that_fails_is_counted_apart(port: int) -> None:
    result = web.load(port, ["/a", "/lost"], seconds=0.3, connections=1)

    assert abs(result.failed - len(result.took_s)) <= 1
    assert result.failed + len(result.took_s) == len(Pages.asked)


def test_a_port_without_a_server_is_a_failure(port: int) -> None:
    assert web.load(1, ["/"], seconds=0.05, connections=1).failed


BUSY = """
import sys, time
sys.stdin.readline()
while time.process_time() < 0.5:
    pass
print("done", flush=True)
sys.stdin.readline()
"""


def test_processor_time_is_that_of_the_block() -> None:
    # In a process of its own: this one has threads that other tests started.
    with Popen([sys.executable, "-c", BUSY], stdin=PIPE, stdout=PIPE, text=True) as busy:
        assert busy.stdin
        assert busy.stdout
        with cpu.used({"busy": [busy.pid], "nobody": []}) as cores:
            busy.stdin.write("go\n")
            busy.stdin.flush()
            assert busy.stdout.readline() == "done\n"
        busy.stdin.close()

    assert 0 < cores["busy"] <= 1.2  # one thread: a core, and the clock's grain
    assert cores["nobody"] == 0


def test_processor_time_is_told_by_page_and_process(port: int) -> None:
    way = web.Way("by nginx", port, {"web": [os.getpid()], "nginx": []})
    result, used = web.measure(way, ["/"], seconds=1.0, connections=4)

    assert set(used) == {"web", "nginx"}
    assert used["nginx"] == 0
    assert 0 < used["web"] * len(result.took_s) <= 1.5 * 1000 * 8  # no more than a few cores have


def test_without_a_running_system_one_line_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("ECRS_STATE_DIR", str(tmp_path))

    assert web.main([]) == 2
    assert capsys.readouterr().err == "error: the system is not running here: say make up first\n"
