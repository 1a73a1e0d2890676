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

from engine.errors import EcrsError
from services.common.memory import settle
from services.common.process import die_with_parent, wait_for_free_port
from services.common.rpc.heartbeat import Pulse, beat
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
        return _work(build, listen)
    return _supervise(build, listen)


def _work(build: Callable[[], App], listen: Listen, pulse: Pulse | None = None) -> int:
    """One server process; with a `pulse` one of several that share the port."""
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
        share_port=pulse is not None,
    )
    try:
        server.start()
    except EcrsError as error:
        app.close()
        return _fail(str(error))
    settle()
    if pulse is not None:
        beat(pulse.write_end, server.pool)
    log.info("listening", host=listen.host, port=server.port, threads=listen.threads, pid=os.getpid())
    stop.wait()
    log.info("stopping", pid=os.getpid())
    server.stop(listen.grace_s)
    return 0


def _fail(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 1


@dataclass(frozen=True)
class _Worker:
    """A worker process: when it was started (monotonic), and its signs of life."""

    started: float
    pulse: Pulse


def _supervise(build: Callable[[], App], listen: Listen) -> int:
    """A small parent: starts the workers, starts again what dies, kills what hangs, ends them all at last.

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
        workers: dict[int, _Worker] = {}
        code = 0
        while not stopping:
            while len(workers) < listen.processes:
                worker = _Worker(time.monotonic(), Pulse())
                workers[_fork(build, listen, worker.pulse)] = worker
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                for hung in [number for number, one in workers.items() if one.pulse.is_lost()]:
                    log.error("worker_hung", pid=hung)
                    os.kill(hung, signal.SIGKILL)  # one that stands still heeds no other
                time.sleep(0.1)  # a signal ends the sleep early only on its next tick: 0.1 s at most
                continue
            worker = workers.pop(pid)
            worker.pulse.close()
            lived = time.monotonic() - worker.started
            if lived < _STARTED_S and os.waitstatus_to_exitcode(status) == 1:
                code = 1  # it said why; trying again would only say it again
                break
            log.warning("worker_died", pid=pid, status=os.waitstatus_to_exitcode(status))
            time.sleep(_RESTART_S)
        _end(list(workers), listen.grace_s)
    return code


def _fork(build: Callable[[], App], listen: Listen, pulse: Pulse) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for signum in _STOP_SIGNALS:
            signal.signal(signum, signal.SIG_DFL)  # until the worker has its own: not the parent's
        die_with_parent()
        code = _work(build, listen, pulse)
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
