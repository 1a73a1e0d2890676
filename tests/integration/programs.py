"""Starting, killing and awaiting the programs under test. Loopback only, ports picked free."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

_STARTED_WITHIN_S = 60.0


def free_port() -> int:
    """A TCP port nobody uses now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


class Program:
    """One `python -m module …` under test, listening on a port; its stderr goes to a file."""

    def __init__(self, module: str, arguments: list[str], port: int, log: Path) -> None:
        self.port = port
        self.address = f"127.0.0.1:{port}"
        self.log = log
        self._command = [sys.executable, "-m", module, *arguments, "--port", str(port)]
        self.process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Process id of the running program."""
        assert self.process is not None
        return self.process.pid

    def start(self) -> None:
        """Start it and wait until its port answers."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(self._command, stdout=log, stderr=log)
        await_true(
            self._listening, _STARTED_WITHIN_S, lambda: f"did not start: {self.log.read_text()[-2000:]}"
        )

    def _listening(self) -> bool:
        assert self.process is not None
        assert self.process.poll() is None, self.log.read_text()[-2000:]
        return accepts_connections(self.port)

    def kill(self) -> None:
        """kill -9."""
        assert self.process is not None
        self.process.kill()
        self.process.wait(10)

    def stop(self, timeout_s: float = 20.0) -> int:
        """SIGTERM; returns the exit status. Kills what does not stop in time."""
        assert self.process is not None
        self.process.terminate()
        try:
            return self.process.wait(timeout_s)
        finally:
            self.process.kill()


def accepts_connections(port: int) -> bool:
    """Whether something on loopback listens on the port."""
    with socket.socket() as probe:
        probe.settimeout(1.0)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def await_true(condition: Callable[[], bool], timeout_s: float, otherwise: Callable[[], str]) -> None:
    """Poll until `condition()`; after `timeout_s` fail with `otherwise()`."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, otherwise()
        time.sleep(0.05)


def run_to_end(module: str, arguments: list[str], timeout_s: float = 60.0) -> tuple[int, str]:
    """Run `python -m module …` that is expected to end by itself; returns (exit status, stderr)."""
    done = subprocess.run(
        [sys.executable, "-m", module, *arguments],
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )
    return done.returncode, done.stderr
