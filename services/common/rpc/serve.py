"""Running services: one process, or several that share the ports, until a signal ends them."""

from __future__ import annotations

import os
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
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
class Port:
    """Where one service listens, and the threads of each process that serve it."""

    number: int
    threads: int


@dataclass(frozen=True)
class Listen:
    """Where and how wide to serve.

    Attributes:
        ports: of the apps, in their order.
        sockets: the folder in which each app of each process also has a Unix socket of its own,
            `socket_of(folder, process, app)`, so that one process can be asked; None for none.
    """

    host: str
    ports: tuple[Port, ...]
    processes: int = 1
    default_deadline_s: float = 0.3
    grace_s: float = 5.0
    sockets: Path | None = None


def socket_of(folder: Path, process: int, app: str) -> Path:
    """The Unix socket of an app in one of several processes, which are counted from 0."""
    return folder / f"{app}-{process}.sock"


def serve(build: Callable[[], Sequence[App]], listen: Listen) -> int:
    """Serve until SIGTERM or SIGINT; the exit code of the process.

    `build` opens everything the apps need; they are closed last first. It runs in each worker process, after
    the fork: neither gRPC nor Redis connections survive one.
    """
    for port in listen.ports:
        if port.number and not wait_for_free_port(listen.host, port.number, _PREDECESSOR_S):
            return _fail(
                f"port {port.number} on {listen.host} is in use: stop what holds it, or choose another with "
                "--port or ECRS_PORT_OFFSET"
            )
    if listen.processes == 1:
        return _work(build, listen)
    return _supervise(build, listen)


def _work(build: Callable[[], Sequence[App]], listen: Listen, one: _Worker | None = None) -> int:
    """One server process; `one` of several that share the ports."""
    stop = threading.Event()

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        stop.set()

    for signum in _STOP_SIGNALS:
        signal.signal(signum, on_signal)
    try:
        apps = build()
    except (EcrsError, OSError) as error:
        return _fail(str(error))
    servers = _servers(apps, listen, one)
    try:
        for server in servers:
            server.start()
    except EcrsError as error:
        for app in reversed(apps):
            app.close()
        return _fail(str(error))
    settle()
    if one is not None:
        beat(one.pulse.write_end, [server.pool for server in servers])
    for server, port in zip(servers, listen.ports, strict=True):
        log.info("listening", host=listen.host, port=server.port, threads=port.threads, pid=os.getpid())
    stop.wait()
    log.info("stopping", pid=os.getpid())
    for drained in [server.drain(listen.grace_s) for server in reversed(servers)]:
        drained.wait()
    for server in reversed(servers):
        server.close()
    return 0


def _servers(apps: Sequence[App], listen: Listen, one: _Worker | None) -> list[Server]:
    """A server for each app, none of them started."""
    number = one.number if one else 0
    return [
        Server(
            app,
            listen.host,
            port.number,
            threads=port.threads,
            default_deadline_s=listen.default_deadline_s,
            share_port=one is not None,
            socket=socket_of(listen.sockets, number, app.name) if listen.sockets else None,
        )
        for app, port in zip(apps, listen.ports, strict=True)
    ]


def _fail(problem: str) -> int:
    sys.stderr.write(f"error: {problem}\n")
    return 1


@dataclass(frozen=True)
class _Worker:
    """A worker process: its number, when it was started (monotonic), and its signs of life."""

    number: int
    started: float
    pulse: Pulse


def _supervise(build: Callable[[], Sequence[App]], listen: Listen) -> int:
    """A small parent: starts the workers, starts again what dies, kills what hangs, ends them all at last.

    It holds the ports with sockets that never listen, so that port 0 works and nobody slips in between.
    """
    stopping = False

    def on_signal(_signum: int, _frame: FrameType | None) -> None:
        nonlocal stopping
        stopping = True

    for signum in _STOP_SIGNALS:
        signal.signal(signum, on_signal)
    with ExitStack() as held:
        try:
            ports = [Port(_hold(held, listen.host, port.number), port.threads) for port in listen.ports]
        except OSError as error:
            return _fail(f"cannot listen on {listen.host}: {error}")
        listen = replace(listen, ports=tuple(ports))
        workers: dict[int, _Worker] = {}
        code = 0
        while not stopping:
            for number in set(range(listen.processes)) - {worker.number for worker in workers.values()}:
                worker = _Worker(number, time.monotonic(), Pulse())
                workers[_fork(build, listen, worker)] = worker
            pid, status = os.waitpid(-1, os.WNOHANG)
            if not pid:
                for hung in [pid for pid, one in workers.items() if one.pulse.is_lost()]:
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


def _hold(held: ExitStack, host: str, port: int) -> int:
    """Bind a port that others may share, until `held` is closed; the port, chosen here for 0."""
    one = held.enter_context(socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET))
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # connections of before may still be known
    one.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    one.bind((host, port))
    return int(one.getsockname()[1])


def _fork(build: Callable[[], Sequence[App]], listen: Listen, worker: _Worker) -> int:
    pid = os.fork()
    if pid:
        return pid
    code = 1
    try:
        for signum in _STOP_SIGNALS:
            signal.signal(signum, signal.SIG_DFL)  # until the worker has its own: not the parent's
        die_with_parent()
        code = _work(build, listen, worker)
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
