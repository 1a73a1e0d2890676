"""Our supervisord: started, asked and stopped over its XML-RPC interface (a socket in the state folder)."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import time
import xmlrpc.client
from collections.abc import Iterable
from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import Any, cast

from pydantic import SecretStr
from supervisor.xmlrpc import SupervisorTransport

from scripts.console import CommandError
from scripts.supervision.config import config_path, log_path, pid_path, restarts_path, socket_path
from services import running
from services.settings import ROOT, Settings

MARK = "ECRS_SUPERVISED_IN"
"""In the environment of every process that we start: the state folder. Leftovers are known by it."""
HELPERS = ("again", "watchdog")
"""What supervisord runs beside the parts."""
_ALIVE = ("RUNNING", "STARTING", "BACKOFF")
_SETTINGS_DIGEST = "settings.sha256"
_START_S, _STOP_S = 10.0, 60.0


@dataclass(frozen=True)
class Process:
    """What supervisord knows of one part. `state` is its word: RUNNING, STARTING, BACKOFF, STOPPED …"""

    name: str
    state: str
    pid: int
    started: float
    now: float

    @property
    def alive(self) -> bool:
        """Running, or being tried."""
        return self.state in _ALIVE

    @property
    def uptime_s(self) -> float:
        """Seconds since its start, 0 if it does not run."""
        return max(0.0, self.now - self.started) if self.pid else 0.0


class Supervisor:
    """One supervisord, of one state folder. Every call raises CommandError when it does not answer."""

    def __init__(self, state_dir: Path) -> None:
        self._state = state_dir
        self._socket = socket_path(state_dir)

    def running(self) -> bool:
        """Whether it answers."""
        try:
            self._proxy().getState()
        except (OSError, HTTPException, xmlrpc.client.Error):
            return False
        return True

    def pid(self) -> int:
        """The pid of supervisord itself, 0 if it does not answer."""
        return int(cast(int, self._call("getPID"))) if self.running() else 0

    def start(self, settings: Settings, conf: str) -> None:
        """Write the configuration and start supervisord, with no part yet."""
        (self._state / "log").mkdir(parents=True, exist_ok=True)
        self._write(conf)
        self._digest_path.write_text(_digest(settings), "ascii")
        running.remember(settings)
        self._socket.unlink(missing_ok=True)
        command = [sys.executable, "-m", "supervisor.supervisord", "-c", str(config_path(self._state))]
        done = subprocess.run(
            command, env=environment(settings), cwd=ROOT, capture_output=True, text=True, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + _START_S
        while done.returncode == 0 and time.monotonic() < deadline:
            if self.running():
                return
            time.sleep(0.05)
        reason = done.stderr.strip().splitlines()[-1:] or [f"see {log_path(self._state, 'supervisord')}"]
        raise CommandError(f"supervisord does not start: {reason[0]}")

    def matches(self, settings: Settings) -> bool:
        """Whether it was started with these settings; its parts inherit those of its start."""
        try:
            return self._digest_path.read_text("ascii") == _digest(settings)
        except FileNotFoundError:
            return False

    def update(self, conf: str) -> list[str]:
        """Make it follow a new configuration; parts whose command changed are stopped and returned."""
        self._write(conf)
        [[added, changed, removed]] = cast(list[list[list[str]]], self._call("reloadConfig"))
        self.stop([*changed, *removed])
        for name in [*changed, *removed]:
            self._call("removeProcessGroup", name)
        for name in [*added, *changed]:
            self._call("addProcessGroup", name)
        return changed

    def processes(self) -> dict[str, Process]:
        """The parts by name."""
        rows = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        found = [
            Process(row["name"], row["statename"], row["pid"], float(row["start"]), float(row["now"]))
            for row in rows
        ]
        return {process.name: process for process in found if process.name not in HELPERS}

    def helper_runs(self, name: str) -> bool:
        """Whether one of `HELPERS` runs."""
        rows = cast(list[dict[str, Any]], self._call("getAllProcessInfo"))
        return any(row["name"] == name and row["statename"] in _ALIVE for row in rows)

    def start_parts(self, names: Iterable[str]) -> None:
        """Start these, without waiting for them."""
        for name in names:
            self._call("startProcess", name, False)

    def stop(self, names: Iterable[str]) -> None:
        """Stop these at the same time and wait until they have ended."""
        wanted = set(names)
        running = [name for name, process in self.processes().items() if name in wanted and process.alive]
        for name in running:
            self._call("stopProcess", name, False)
        deadline = time.monotonic() + _STOP_S
        while any(self.processes()[name].state not in {"STOPPED", "EXITED", "FATAL"} for name in running):
            if time.monotonic() > deadline:
                raise CommandError(
                    f"{', '.join(running)}: still running {_STOP_S:.0f} s after the order to stop"
                )
            time.sleep(0.1)

    def shut_down(self) -> None:
        """End supervisord; returns when its socket is gone."""
        self._call("shutdown")
        deadline = time.monotonic() + _STOP_S
        while self.running() or pid_path(self._state).exists():
            if time.monotonic() > deadline:
                raise CommandError(f"supervisord does not end: see {log_path(self._state, 'supervisord')}")
            time.sleep(0.1)

    def forget(self) -> None:
        """Remove the files of a supervisord that is gone."""
        files = (pid_path, config_path, restarts_path)
        left = self._state.glob("*-*.sock")  # of processes that were killed
        for path in (self._socket, self._digest_path, *(file(self._state) for file in files), *left):
            path.unlink(missing_ok=True)
        running.forget(self._state)

    @property
    def _digest_path(self) -> Path:
        return self._state / _SETTINGS_DIGEST

    def _write(self, conf: str) -> None:
        config_path(self._state).write_text(conf, "utf-8")

    def _proxy(self) -> Any:
        transport = SupervisorTransport(None, None, f"unix://{self._socket}")
        return xmlrpc.client.ServerProxy("http://localhost", transport).supervisor

    def _call(self, method: str, *arguments: object) -> object:
        try:
            return cast(object, getattr(self._proxy(), method)(*arguments))
        except xmlrpc.client.Fault as fault:
            if fault.faultString.startswith(("ALREADY_STARTED", "NOT_RUNNING")):
                return None  # what was asked for is already so
            raise CommandError(f"supervisord refuses {method} {arguments}: {fault.faultString}") from fault
        except (OSError, HTTPException, xmlrpc.client.Error) as error:
            raise CommandError(
                f"supervisord does not answer at {self._socket}: say make down, then make up"
            ) from error


def environment(settings: Settings) -> dict[str, str]:
    """The environment of the parts: this one, passed on and not read, with every given setting."""
    return {**os.environ, **_given(settings), MARK: str(settings.state_dir), "PYTHONUNBUFFERED": "1"}


def _given(settings: Settings) -> dict[str, str]:
    values = {name: getattr(settings, name) for name in sorted(settings.model_fields_set)}
    plain = {
        name: value.get_secret_value() if isinstance(value, SecretStr) else str(value)
        for name, value in values.items()
    }
    return {f"ECRS_{name.upper()}": value for name, value in plain.items()}


def _digest(settings: Settings) -> str:
    """A digest of the settings given, secrets too, so none is written down."""
    text = "\0".join(f"{name}={value}" for name, value in _given(settings).items())
    return hashlib.sha256(text.encode()).hexdigest()
