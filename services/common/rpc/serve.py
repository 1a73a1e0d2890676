"""Running a service: one process, or several that share a port, until a signal ends them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from types import FrameType

import structlog

from services.common.errors import EcrsError
from services.common.memory import settle
from services.common.process import die_with_parent, wait_for_free_port
from services.common.rpc.server import App, Server

log = structlog.get_logger()

_STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)
_PREDECESSOR_S = 3.0  # how long a dying predecessor may keep the port
_RESTART_S = 1.0
_STARTED_S = 5.0  # a worker that lived so long had started well


@dataclass(frozen=True)
class Listen:
    """Where and how wide to serve."""

    host: str
    port: int
    threads: int
    processes: int = 1
    default_deadline_s: float = 0.3
    grace_s: float = 5.0


def serve(build: Callable[[], App], listen: Listen) -> int:
    """Serve until SIGTERM or SIGINT; the exit code of the process.

    `build` opens everything the app needs. It runs in each worker process, after the fork: neither gRPC nor
    Redis connections survive one.
    """
    if listen.port and not wait_for_free_port(listen.host, listen.port, _PREDECESSOR_S):
        return _fail(
            f"port {listen.port} on {listen.host} is in use: stop what holds it, or choose another with "
            "--port or ECRS_PORT_OFFSET"
        )
    if listen.processes == 1:
        return _work(build, listen, share_port=False)
    return _supervise(build, listen)


def _work(build: Callable[[], App], listen: Listen, *, share_port: bool) -> int:
    """One server process."""
    stop = threading.Event()

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    for signum in _STOP_SIGNALS:
        signal.signal(signum, on_signal)
    try:
        app = build()
    except (EcrsError, OSError) as error:
        return _fail(str(error))
    server = Server(
        app,
        listen.host,
        listen.port,
        threads=listen.threads,
        default_deadline_s=listen.default_deadline_s,
        share_port=share_port,
    )
    try:
        server.start()
    except EcrsError as error:
        app.close()
        return _fail(str(error))
    settle()
    log.info("listening", host=listen.host, port=server.port, threads=listen.threads, pid=os.getpid())
    stop.wait()
    log.info("stopping", pid=os.getpid())
    server.stop(listen.grace_s)
    return 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 1


def _supervise(build: Callable[[], App], listen: Listen) -> int:
    """A small parent: starts the workers, starts again what dies, ends them all when it is told to.

    It holds the port with a socket that never listens, so that port 0 works and nobody slips in between.
    """
    stopping = False

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for signum in _STOP_SIGNALS:
        signal.signal(signum, on_signal)
    with socket.socket(socket.AF_INET6 if ":" in listen.host else socket.AF_INET) as held:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((listen.host, listen.port))
        listen = Listen(**{**listen.__dict__, "port": held.getsockname()[1]})
        workers: dict[int, float] = {}
        code = 0
        while not stopping:
            while len(workers) < listen.processes:
                workers[_fork(build, listen)] = time.monotonic()
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                time.sleep(0.1)  # a signal ends the sleep early only on its next tick: 0.1 s at most
                continue
            lived = time.monotonic() - workers.pop(pid)
            if lived < _STARTED_S and os.waitstatus_to_exitcode(status) == 1:
                code = 1  # it said why; trying again would only say it again
                break
            log.warning("worker_died", pid=pid, status=os.waitstatus_to_exitcode(status))
            time.sleep(_RESTART_S)
        _end(list(workers), listen.grace_s)
    return code


def _fork(build: Callable[[], App], listen: Listen) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for signum in _STOP_SIGNALS:
            signal.signal(signum, signal.SIG_DFL)  # until the worker has its own: not the parent's
        die_with_parent()
        code = _work(build, listen, share_port=True)
    finally:
        sys.stderr.flush()
        os._exit(code)  # never back into the parent's code


def _end(pids: list[int], grace_s: float) -> None:
    for pid in pids:
        os.kill(pid, signal.SIGTERM)
    last = time.monotonic() + grace_s + 2.0
    while pids and time.monotonic() < last:
        pids = [pid for pid in pids if os.waitpid(pid, os.WNOHANG)[0] == 0]
        time.sleep(0.02)
    for pid in pids:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
