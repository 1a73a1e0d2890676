"""Supervisord as ECRS uses it, with small programs as parts: restarts, updates, what is left behind."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

from scripts.supervision.config import restarts_path, supervisord_conf
from scripts.supervision.health import check
from scripts.supervision.leftovers import end, find_leftovers
from scripts.supervision.parts import Part, parts
from scripts.supervision.stopping import stop_all
from scripts.supervision.supervisor import Supervisor
from scripts.supervision.watchdog import read_restarts
from services.settings import Settings
from tests.support.shop import free_offset

pytestmark = pytest.mark.integration

SLEEPER = "import time; time.sleep(600)"
PARENT = f"import subprocess, sys; subprocess.Popen([sys.executable, '-c', {SLEEPER!r}]); {SLEEPER}"


def program(name: str, code: str, *arguments: str) -> Part:
    return Part(name, name, 2, (sys.executable, "-c", code, *arguments), 1, "tcp", "127.0.0.1:1")


def until(condition: Callable[[], bool], seconds: float = 15.0) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def settings(tmp_path: Path) -> Iterator[Settings]:
    settings = Settings(state_dir=tmp_path / "s")
    yield settings
    supervisor = Supervisor(settings.state_dir)
    stop_all(supervisor, settings.state_dir)


def test_restarts_what_was_killed_and_leaves_nothing_after_the_stop(settings: Settings) -> None:
    supervisor = Supervisor(settings.state_dir)
    supervisor.start(settings, supervisord_conf(settings, [program("a", PARENT), program("b", SLEEPER)]))
    supervisor.start_parts(["a", "b"])
    assert until(lambda: all(p.state == "RUNNING" for p in supervisor.processes().values()))
    killed = supervisor.processes()["b"].pid

    os.kill(killed, signal.SIGKILL)

    assert until(lambda: supervisor.processes()["b"].pid not in {0, killed})
    assert len(find_leftovers(settings.state_dir)) == 6  # supervisord, its two helpers, a, a's child, b
    assert sorted(stop_all(supervisor, settings.state_dir)) == ["a", "b"]
    assert find_leftovers(settings.state_dir) == []
    assert sorted(path.name for path in settings.state_dir.iterdir()) == ["log"]


def test_a_part_that_cannot_start_is_tried_until_the_cause_is_gone(
    settings: Settings, tmp_path: Path
) -> None:
    flag = tmp_path / "cause-is-gone"
    code = f"import pathlib, sys; sys.exit(3) if not pathlib.Path(sys.argv[1]).exists() else None; {SLEEPER}"
    supervisor = Supervisor(settings.state_dir)
    supervisor.start(settings, supervisord_conf(settings, [program("a", code, str(flag))]))
    log = settings.state_dir / "log" / "again.log"
    supervisor.start_parts(["a"])
    assert until(lambda: log.exists() and "a failed to start several times" in log.read_text(), seconds=40)

    flag.touch()

    assert until(lambda: supervisor.processes()["a"].state == "RUNNING", seconds=12)


def test_a_store_that_hangs_and_a_watchdog_that_died_are_replaced(tmp_path: Path) -> None:
    settings = Settings(_env_file=None, state_dir=tmp_path / "s", port_offset=free_offset())
    supervisor = Supervisor(settings.state_dir)
    (store,) = (part for part in parts(settings, None) if part.name == "redis")
    try:
        supervisor.start(settings, supervisord_conf(settings, [store]))
        supervisor.start_parts(["redis"])
        assert until(lambda: not check(store))
        (dog,) = (
            p for p in find_leftovers(settings.state_dir) if "scripts.supervision.watchdog" in p.cmdline()
        )
        log = settings.state_dir / "log" / "watchdog.log"
        assert until(lambda: "first_answer" in log.read_text(), 30)
        dog.kill()
        assert until(lambda: log.read_text().count("first_answer") == 2, 30)
        hung = supervisor.processes()["redis"].pid

        os.killpg(hung, signal.SIGSTOP)

        began = time.monotonic()
        assert until(lambda: supervisor.processes()["redis"].pid not in {0, hung} and not check(store), 30)
        assert time.monotonic() - began > 12  # a shorter hang may end by itself
        assert read_restarts(restarts_path(settings.state_dir)) == {"redis": 1}
    finally:
        stop_all(supervisor, settings.state_dir)


def test_an_update_restarts_only_the_part_that_changed(settings: Settings) -> None:
    supervisor = Supervisor(settings.state_dir)
    supervisor.start(settings, supervisord_conf(settings, [program("a", SLEEPER), program("b", SLEEPER)]))
    supervisor.start_parts(["a", "b"])
    assert until(lambda: all(process.pid for process in supervisor.processes().values()))
    before = supervisor.processes()

    changed = supervisor.update(
        supervisord_conf(settings, [program("a", SLEEPER), program("b", SLEEPER, "x"), program("c", SLEEPER)])
    )
    supervisor.start_parts(["b", "c"])

    after = supervisor.processes()
    assert changed == ["b"]
    assert after["a"].pid == before["a"].pid
    assert after["b"].pid != before["b"].pid
    assert after["c"].alive


def test_what_a_killed_supervisord_left_is_found_and_ended(settings: Settings) -> None:
    supervisor = Supervisor(settings.state_dir)
    supervisor.start(settings, supervisord_conf(settings, [program("a", PARENT)]))
    supervisor.start_parts(["a"])
    assert until(lambda: len(find_leftovers(settings.state_dir)) == 5)
    main = psutil.Process(supervisor.pid())

    main.kill()
    main.wait(5)

    assert not supervisor.running()
    assert until(lambda: len(find_leftovers(settings.state_dir)) == 2)  # the helpers end by themselves
    end(find_leftovers(settings.state_dir))
    assert find_leftovers(settings.state_dir) == []


def test_other_settings_are_noticed(settings: Settings) -> None:
    supervisor = Supervisor(settings.state_dir)
    supervisor.start(settings, supervisord_conf(settings, []))

    assert supervisor.matches(settings)
    assert not supervisor.matches(settings.model_copy(update={"processes": 2}))
