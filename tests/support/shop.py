"""A running copy of the whole system for tests, with folders and ports of its own."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from scripts.supervision.leftovers import port_is_free
from scripts.supervision.parts import nginx_program
from services.settings import PORTS, ROOT

BACK_WITHIN_S = 30.0


def free_offset() -> int:
    """An offset at which no port of the system is taken."""
    for offset in range(20_000 + os.getpid() % 5_000, 40_000, 37):
        if all(port_is_free("127.0.0.1", port + offset) for port in PORTS.values()):
            return offset
    raise AssertionError("no free ports")


def undegraded(ask: Callable[[], Any]) -> Any:
    """An answer that lacks nothing: what a loaded machine made late is asked again for a minute."""
    end = time.monotonic() + 60
    while (answer := ask()).degraded and time.monotonic() < end:
        time.sleep(0.5)
    assert not answer.degraded, answer.degraded
    return answer


@dataclass
class Shop:
    """A running copy of the system, with folders and ports of its own."""

    folder: Path
    dataset: str = "sample"
    offset: int = field(default_factory=free_offset)

    @property
    def state_dir(self) -> Path:
        return self.folder / "s"

    @contextmanager
    def running(self) -> Iterator[Shop]:
        """Started by `make up` from nothing (prepared, trained, loaded), stopped at the end."""
        done = self.command("up", "--timeout", "300")  # a loaded machine is no failure
        try:
            assert done.returncode == 0, done.stdout + done.stderr
            assert "curl " in done.stdout
            assert "grpcurl " in done.stdout
            yield self
        finally:
            self.command("down")

    def command(
        self, name: str, *arguments: str, only_state: bool = False, **settings: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `python -m scripts.<name>` with this copy's settings, or with its state folder alone."""
        environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith("ECRS_")},
            "ECRS_STATE_DIR": str(self.state_dir),
            **({} if only_state else self._settings()),
            **settings,
        }
        return subprocess.run(
            [sys.executable, "-m", f"scripts.{name}", *arguments],
            cwd=ROOT, env=environment, capture_output=True, text=True, check=False, timeout=900,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip

    def _settings(self) -> dict[str, str]:
        return {
            "ECRS_PREPARED_DIR": str(self.folder / "prepared"),
            "ECRS_ARTIFACTS_DIR": str(self.folder / "releases"),
            "ECRS_DATASET": self.dataset,
            "ECRS_PORT_OFFSET": str(self.offset),
        }

    def status(self) -> dict[str, dict[str, Any]]:
        rows = json.loads(self.command("status", "--json").stdout)
        return {row["part"]: row for row in rows}

    def wait_until_back(self, name: str, old_pid: int, within_s: float = BACK_WITHIN_S) -> dict[str, Any]:
        deadline = time.monotonic() + within_s
        while True:
            row = self.status()[name]
            if row["health"] == "ok" and row["pid"] not in {0, old_pid}:
                return row
            assert time.monotonic() < deadline, f"{name} is not back: {row}"
            time.sleep(0.2)

    @property
    def url(self) -> str:
        """Where shoppers come in: Nginx where there is one, else the first front end."""
        return f"http://127.0.0.1:{PORTS['nginx' if nginx_program() else 'web1'] + self.offset}"

    @property
    def front_ends(self) -> tuple[str, str]:
        """The two front ends themselves."""
        first, second = (f"http://127.0.0.1:{PORTS[name] + self.offset}" for name in ("web1", "web2"))
        return first, second
