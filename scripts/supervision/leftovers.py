"""Processes that outlived their supervisord, and who holds a port."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterable
from pathlib import Path

import psutil

from scripts.supervision.supervisor import MARK

_RENAMED = ("nginx", "redis-server")  # they write their title over their environment: known by their folder


def find_leftovers(state_dir: Path) -> list[psutil.Process]:
    """The processes started for this state folder; never this one or those that it was started by."""
    mine = {os.getpid(), *(parent.pid for parent in psutil.Process().parents())}
    return [
        process
        for process in psutil.process_iter()
        if process.pid not in mine and _belongs(process, state_dir)
    ]


def find_in_folder(name: str, folder: Path) -> list[psutil.Process]:
    """The processes of this name that work in `folder` or below it."""
    return [process for process in psutil.process_iter() if _works_in(process, (name,), folder)]


def end(processes: Iterable[psutil.Process], patience_s: float = 10.0) -> list[str]:
    """Ask them to end, then kill what is left; returns a line about each."""
    listed = list(processes)
    lines = [_describe(process) for process in listed]
    for process in listed:
        _signal(process, force=False)
    _, alive = psutil.wait_procs(listed, timeout=patience_s)
    for process in alive:
        _signal(process, force=True)
    psutil.wait_procs(alive, timeout=patience_s)
    return lines


def port_is_free(host: str, port: int) -> bool:
    """Whether a program could listen on `host:port` now."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            return False
    return True


def port_holder(port: int) -> str:
    """Who listens on a port, as far as this user may know: "pid 12 (nginx)" or "another program"."""
    for connection in _listeners():
        if connection.laddr.port == port and connection.pid:
            try:
                return _describe(psutil.Process(connection.pid))
            except psutil.Error:
                break
    return "another program"


def _listeners() -> list[psutil._common.sconn]:
    try:
        found = psutil.net_connections("tcp")
    except (psutil.Error, OSError):  # macOS lets only root see others' connections
        return []
    return [connection for connection in found if connection.status == psutil.CONN_LISTEN]


def _belongs(process: psutil.Process, state_dir: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        if process.environ().get(MARK) == str(state_dir):
            return True
    except (psutil.Error, OSError):  # it ended meanwhile, or is another user's
        return False
    return _works_in(process, _RENAMED, state_dir)


def _works_in(process: psutil.Process, names: tuple[str, ...], folder: Path) -> bool:
    try:
        if process.name() not in names or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return Path(process.cwd()).is_relative_to(folder)
    except (psutil.Error, OSError):  # as above
        return False


def _signal(process: psutil.Process, *, force: bool) -> None:
    try:
        if force:
            process.kill()
        else:
            process.terminate()
    except psutil.Error:  # it ended by itself
        return


def _describe(process: psutil.Process) -> str:
    try:
        return f"pid {process.pid} ({process.name()})"
    except psutil.Error:
        return f"pid {process.pid}"
