"""When the watchdog takes a part for hung, and whom it kills."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest

from scripts.supervision import watchdog
from scripts.supervision.health import CutOff, check, check_alive
from scripts.supervision.parts import Part
from scripts.supervision.supervisor import Process, Supervisor
from scripts.supervision.watchdog import BUSY_HUNG_S, FAILURES, GRACE_S, Watch, Watchdog, read_restarts
from services.common.rpc import App, Server
from services.common.rpc.heartbeat import HUNG_S

pytestmark = pytest.mark.unit

LONG = GRACE_S + 1


def silent(watch: Watch, since: float, until: float, pid: int = 7, uptime_s: float = LONG) -> float | None:
    """Ask every four seconds without an answer; when it was taken for hung."""
    asked = since
    while asked < until:
        if watch.hangs(pid, uptime_s + asked - since, asked, asked + 3, "does not answer"):
            return asked + 3
        asked += 4
    return None


def test_what_is_silent_for_good_is_killed_in_time_for_a_restart_within_30_s() -> None:
    watch = Watch()
    assert not watch.hangs(7, LONG, 98.0, 98.1, "")
    killed = silent(watch, 100.0, 200.0)
    assert killed is not None
    assert 98 + HUNG_S <= killed <= 122


def test_a_hang_of_twelve_seconds_is_nobodys_end() -> None:
    watch = Watch()
    watch.hangs(7, LONG, 98.0, 98.1, "")
    assert silent(watch, 99.0, 110.0) is None  # the question after that is answered
    assert not watch.hangs(7, LONG, 111.0, 111.5, "")
    assert silent(watch, 113.5, 125.5) is None


def test_one_that_is_late_because_it_works_has_a_minute() -> None:
    watch = Watch()
    watch.hangs(7, LONG, 0.0, 0.1, "")
    killed = next(
        second
        for second in range(4, 200, 4)
        if watch.hangs(7, LONG, second - 3, second, "timed out", used_s=50 + second * 0.5)
    )
    assert BUSY_HUNG_S <= killed < BUSY_HUNG_S + 5


def test_a_watchdog_that_slept_itself_asks_several_times_before_it_kills() -> None:
    watch = Watch()
    watch.hangs(7, LONG, 0.0, 0.1, "")
    asked = [watch.hangs(7, LONG, 5_000.0 + second, 5_000.0 + second, "late") for second in range(FAILURES)]
    assert asked == [False] * (FAILURES - 1) + [True]


def test_a_start_may_take_long_but_not_for_ever() -> None:
    killed = silent(Watch(), 0.0, 1_000.0, uptime_s=0.0)
    assert killed is not None
    assert GRACE_S <= killed < GRACE_S + 10


def test_after_a_restart_counting_begins_anew() -> None:
    watch = Watch()
    watch.hangs(7, LONG, 0.0, 0.1, "")
    silent(watch, 1.0, 12.0)
    assert silent(watch, 13.0, 25.0, pid=8, uptime_s=0.0) is None


class FrontEnd(BaseHTTPRequestHandler):
    """Answers /reachz as the server's `states` say."""

    def do_GET(self) -> None:
        states = self.server.states  # type: ignore[attr-defined]
        self.send_response(200 if set(states.values()) == {"ok"} else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"services": states}).encode())

    def log_message(self, *_: object) -> None:
        """Nothing: the test reads no log."""


@pytest.fixture
def server() -> Iterator[ThreadingHTTPServer]:
    made = ThreadingHTTPServer(("127.0.0.1", 0), FrontEnd)
    made.states = {"user": "ok", "item": "Unavailable"}  # type: ignore[attr-defined]
    Thread(target=made.serve_forever).start()
    yield made
    made.shutdown()
    made.server_close()


def front_end(server: ThreadingHTTPServer) -> Part:
    port = server.server_address[1]
    return Part("web1", "front end", 3, ("x",), port, "web", f"127.0.0.1:{port}")


def test_a_front_end_without_a_service_says_which(server: ThreadingHTTPServer) -> None:
    assert check(front_end(server)) == "not answered by item"
    with pytest.raises(CutOff, match="item"):
        check_alive(front_end(server), 1.0)


@pytest.mark.parametrize(("item_answers", "kills"), [(True, [7]), (False, [])])
def test_a_front_end_is_killed_only_if_the_lost_service_answers_others(
    server: ThreadingHTTPServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    item_answers: bool,
    kills: list[int],
) -> None:
    now = [0.0]
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    part, killed = front_end(server), list[int]()
    dog = Watchdog(
        Supervisor(tmp_path), {}, tmp_path / "r.json", {"web1": Watch(), "item": Watch()}, kill=killed.append
    )
    for _ in range(12):
        now[0] += 2.0
        dog.watches["item"].hangs(9, LONG, now[0], now[0], "" if item_answers else "does not answer")
        dog.ask(part, Process("web1", "RUNNING", 7, 0.0, LONG))
        if killed:
            break
    assert killed == kills
    assert read_restarts(tmp_path / "r.json") == ({"web1": 1} if kills else {})


def test_silence_and_a_lost_service_are_counted_apart(
    server: ThreadingHTTPServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(watchdog.time, "monotonic", lambda: now[0])
    killed = list[int]()
    dog = Watchdog(
        Supervisor(tmp_path), {}, tmp_path / "r.json", {"web1": Watch(), "item": Watch()}, kill=killed.append
    )
    process = Process("web1", "RUNNING", 7, 0.0, LONG)
    nobody = Part("web1", "front end", 3, ("x",), 1, "web", "127.0.0.1:1")
    for part in (nobody, nobody, nobody, front_end(server), front_end(server), front_end(server)):
        now[0] += 4.0
        dog.watches["item"].hangs(9, LONG, now[0], now[0], "")
        dog.ask(part, process)
    assert killed == []


def test_a_part_of_several_processes_lives_with_one_and_is_healthy_with_all(tmp_path: Path) -> None:
    def processes(*sockets: Path) -> Part:
        return Part(
            "p", "p", 2, ("x",), 1, "grpc", "unused:1", sockets=tuple(f"unix:{one}" for one in sockets)
        )

    app = App("test", [], ready=lambda: None, close=lambda: None)
    first, second, third = (tmp_path / f"{number}.sock" for number in range(3))
    servers = [Server(app, "127.0.0.1", 0, socket=one).start() for one in (first, second)]
    try:
        deadline = time.monotonic() + 10
        while check(processes(first, second)) and time.monotonic() < deadline:
            time.sleep(0.05)  # their readiness is asked for in the background
        assert check(processes(first, second)) == ""
        assert check(processes(first, third)) == "process 1: does not answer"
        assert check_alive(processes(third, second), 2.0) == ""
        assert check_alive(processes(third), 2.0) == "does not answer"
    finally:
        for server in servers:
            server.stop(0.1)


def test_a_front_end_that_lost_services_which_run_together_is_cut_off(tmp_path: Path) -> None:
    dog = Watchdog(Supervisor(tmp_path), {}, tmp_path / "r.json", {"together": Watch()})
    dog.watches["together"].hangs(9, LONG, time.monotonic(), time.monotonic(), "")

    assert dog._lost(["item", "user"]) == "not answered by item, user"


def test_what_listens_but_says_nothing_does_not_live() -> None:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        port = listening.getsockname()[1]
        for kind in ("grpc", "http", "web", "milvus"):
            part = Part("p", "p", 2, ("x",), port, kind, f"127.0.0.1:{port}")  # type: ignore[arg-type]
            assert check_alive(part, 0.2), kind
        assert check_alive(Part("p", "p", 0, ("x",), port, "redis", f"redis://127.0.0.1:{port}"), 0.2)
