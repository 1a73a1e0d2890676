"""Nginx before two real front ends over fakes: what it adds and refuses; one of them killed under load."""

from __future__ import annotations

import gzip
import http.client
import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from scripts.supervision.config import render_nginx
from services.settings import ROOT
from tests.integration.programs import await_true, free_port
from tests.support.redis_server import RedisServer
from webapp.headers import SECURITY_HEADERS

pytestmark = pytest.mark.integration

HOST = "127.0.0.1"
LIMITED = "127.0.0.2"
"""Loopback too, but not the address that Nginx does not limit."""


@dataclass
class Answer:
    """A response, read to its end."""

    status: int
    headers: http.client.HTTPMessage
    body: bytes


@dataclass
class FrontEnds:
    """Nginx's port and the two processes behind it."""

    port: int
    processes: list[subprocess.Popen[str]]

    def ask(
        self, path: str, method: str = "GET", source: str = HOST, body: bytes | None = None, **headers: str
    ) -> Answer:
        """One request on a connection of its own."""
        connection = http.client.HTTPConnection(HOST, self.port, timeout=20, source_address=(source, 0))
        try:
            sent = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, path, body=body, headers=sent)
            response = connection.getresponse()
            return Answer(response.status, response.headers, response.read())
        finally:
            connection.close()


@contextmanager
def running(folder: Path) -> Iterator[FrontEnds]:
    """Nginx, two front ends and their Redis, all in this folder."""
    store = RedisServer(folder / "redis").start()
    processes = [_front_end(folder / f"web{number}", store.url) for number in (1, 2)]
    ports = [_port_of(process) for process in processes]
    found = FrontEnds(free_port(), processes)
    try:
        with nginx_before(folder / "nginx", found.port, ports) as log_file:
            await_true(lambda: _answers(found), 10, log_file.read_text)
            yield found
    finally:
        for process in processes:
            process.kill()
            process.wait(10)
        store.stop()


@contextmanager
def nginx_before(folder: Path, port: int, front_ends: Sequence[int]) -> Iterator[Path]:
    """Nginx on `port` before two front ends on ports of this machine; gives its log file."""
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    if program is None:
        pytest.skip("no Nginx on this machine; Debian: apt-get install nginx")
    folder.mkdir()
    text = render_nginx(
        folder=folder,
        user="user root;" if os.geteuid() == 0 else "",
        listen=f"{HOST}:{port}",
        web1=f"{HOST}:{front_ends[0]}",
        web2=f"{HOST}:{front_ends[1]}",
        root=ROOT / "webapp",
    )
    (folder / "nginx.conf").write_text(text, "utf-8")
    log_file = folder / "nginx.log"
    with log_file.open("wb") as log:
        nginx = subprocess.Popen(
            [program, "-p", str(folder), "-c", str(folder / "nginx.conf")], stdout=log, stderr=log
        )
    try:
        yield log_file
    finally:
        nginx.terminate()
        nginx.wait(10)


@pytest.fixture(scope="module")
def front_ends(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FrontEnds]:
    """For tests that leave them as they are."""
    with running(tmp_path_factory.mktemp("front-ends")) as found:
        yield found


@pytest.fixture
def mortal(tmp_path: Path) -> Iterator[FrontEnds]:
    """For tests that kill them."""
    with running(tmp_path) as found:
        yield found


def test_a_front_end_killed_under_load_costs_no_request(mortal: FrontEnds) -> None:
    asked, begun, lock = 300, 0, threading.Lock()

    def ask(number: int) -> int:
        nonlocal begun
        with lock:
            begun += 1
            if begun == asked // 3:
                mortal.processes[0].send_signal(signal.SIGKILL)
        return mortal.ask(("/", "/items/101", "/api/v1/items/101")[number % 3]).status

    with ThreadPoolExecutor(8) as clients:
        statuses = Counter(clients.map(ask, range(asked)))

    assert statuses == {200: asked}
    assert mortal.processes[0].wait(5) == -signal.SIGKILL


def test_a_front_end_that_hangs_costs_no_page(mortal: FrontEnds) -> None:
    mortal.processes[0].send_signal(signal.SIGSTOP)
    try:
        with ThreadPoolExecutor(8) as clients:
            took = sorted(clients.map(lambda _: _timed(lambda: mortal.ask("/").status), range(60)))
    finally:
        mortal.processes[0].send_signal(signal.SIGCONT)

    assert [status for _, status in took] == [200] * 60
    assert took[-1][0] < 8  # the few that found it out waited for it once
    assert took[45][0] < 3


def test_after_both_were_away_slow_first_answers_keep_nobody_out(tmp_path: Path) -> None:
    class Slow(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            time.sleep(0.3)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test reads no log."""

    found = FrontEnds(free_port(), [])
    ports = [free_port(), free_port()]
    with nginx_before(tmp_path / "nginx", found.port, ports) as log_file, ExitStack() as stack:
        await_true(lambda: _statuses(found, 8) == {502: 8}, 10, log_file.read_text)
        for port in ports:
            server = ThreadingHTTPServer((HOST, port), Slow)
            stack.callback(server.server_close)
            stack.callback(server.shutdown)
            threading.Thread(target=server.serve_forever).start()

        assert _statuses(found, 16) == {200: 16}


def test_static_files_come_compressed_and_are_kept_for_ever(front_ends: FrontEnds) -> None:
    page = front_ends.ask("/").body.decode()
    address = re.search(r'href="(/static/shop\.css\?v=[0-9a-f]+)"', page)
    assert address

    answer = front_ends.ask(address[1], Accept_Encoding="gzip")

    assert answer.status == 200
    assert answer.headers.get_all("Cache-Control") == ["public, max-age=31536000, immutable"]
    assert answer.headers["Content-Encoding"] == "gzip"
    assert answer.headers["Vary"] == "Accept-Encoding"
    assert gzip.decompress(answer.body) == (ROOT / "webapp" / "static" / "shop.css").read_bytes()
    without_hash = front_ends.ask("/static/shop.css").headers
    assert without_hash.get_all("Cache-Control") == ["public, max-age=3600"]


@pytest.mark.parametrize(
    "path", ["/", "/static/shop.css", "/static/none.css", "/api/v1/items/101", "/healthz"]
)
def test_every_answer_has_each_security_header_and_the_request_id_once(
    front_ends: FrontEnds, path: str
) -> None:
    answer = front_ends.ask(path, X_Request_ID="from-the-test")

    for name, value in SECURITY_HEADERS.items():
        assert answer.headers.get_all(name) == [value], name
    assert answer.headers.get_all("X-Request-ID") == ["from-the-test"]
    assert "unsafe-inline" not in answer.headers["Content-Security-Policy"]
    assert not re.search(r"\d", answer.headers["Server"])
    assert "GET" in front_ends.ask(path, "TRACE").headers["Allow"]


def test_with_no_front_end_people_get_a_page_and_programs_a_problem_document(mortal: FrontEnds) -> None:
    for process in mortal.processes:
        process.kill()
        process.wait(5)

    page, problem = mortal.ask("/"), mortal.ask("/api/v1/items/101")
    assert mortal.ask("/static/away.css").status == 200

    assert page.status == 502
    assert b"Back in a moment" in page.body
    assert page.headers.get_all("Content-Security-Policy") == [SECURITY_HEADERS["Content-Security-Policy"]]
    assert problem.status == 503
    assert problem.headers["Content-Type"].startswith("application/problem+json")


def test_one_address_cannot_ask_without_end(front_ends: FrontEnds) -> None:
    with ThreadPoolExecutor(8) as clients:
        others = Counter(clients.map(lambda _: front_ends.ask("/healthz", source=LIMITED).status, range(500)))
        ours = Counter(clients.map(lambda _: front_ends.ask("/healthz").status, range(300)))

    assert set(others) == {200, 429}
    assert others[200] >= 200
    assert ours == {200: 300}


def test_a_giant_body_is_refused_before_a_front_end_sees_it(front_ends: FrontEnds) -> None:
    body = b"x" * (1024 * 1024 + 1)

    assert front_ends.ask("/events", "POST", body=body).status == 413


def _front_end(state: Path, redis_url: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "tests.e2e.fake_shop", str(state), redis_url],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def _port_of(process: subprocess.Popen[str]) -> int:
    assert process.stdout is not None
    port = int(process.stdout.readline())
    # Nobody reads what it logs: without a reader it would stop at a full pipe.
    threading.Thread(target=process.stdout.read, daemon=True).start()
    return port


def _answers(front_ends: FrontEnds) -> bool:
    try:
        return front_ends.ask("/healthz").status == 200
    except OSError:
        time.sleep(0.02)
        return False


def _timed(ask: Callable[[], int]) -> tuple[float, int]:
    began = time.monotonic()
    status = ask()
    return time.monotonic() - began, status


def _statuses(front_ends: FrontEnds, count: int) -> dict[int, int]:
    """Ask that many at a time; the number of answers by status, empty while nobody listens."""
    with ThreadPoolExecutor(count) as clients:
        try:
            return Counter(answer.status for answer in clients.map(front_ends.ask, ["/"] * count))
        except OSError:
            return {}
