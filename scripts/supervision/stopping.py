"""Stopping everything: the front first, so that no request meets a store that is gone."""

from __future__ import annotations

from pathlib import Path

import psutil

from scripts.supervision.leftovers import end, find_leftovers
from scripts.supervision.supervisor import Supervisor

_WAVES = (("nginx", "web1", "web2"), ("together", "recommend", "rank", "recall", "item", "user"))
_GOING_S = 3.0  # children that got the signal may need this long to be gone on a busy machine


def stop_all(supervisor: Supervisor, state_dir: Path) -> list[str]:
    """Stop all parts and supervisord, end what outlived them, remove their files; returns their names."""
    stopped: list[str] = []
    if supervisor.running():
        processes = supervisor.processes()
        stopped = [name for name, process in processes.items() if process.alive]
        rest = set(processes).difference(*_WAVES)
        for wave in (*_WAVES, tuple(rest)):
            supervisor.stop(wave)
        supervisor.shut_down()
        psutil.wait_procs(find_leftovers(state_dir), timeout=_GOING_S)
    stopped += end(find_leftovers(state_dir))
    supervisor.forget()
    return stopped
