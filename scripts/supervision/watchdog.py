"""`python -m scripts.supervision.watchdog`: kill what hangs, so that supervisord starts it again.

Supervisord runs it beside the parts. Each part that runs here is asked every two seconds whether it lives
(`health.check_alive`); one that has answered nothing for 16 s, to four questions in a row at least, is killed
with its whole process group, for a process that stands still does not heed SIGTERM. So a hang of twelve
seconds ends by itself and one for good within 30 s. A part that has never answered since its start has two
minutes for it: a store may have much to read. One that works meanwhile (a tenth of a core or more) has one
minute: on a machine that is too busy it is late, and starting it again would make it later.

What a part depends on does not count: a service without Redis lives. But a front end that is not answered by
a service which answers us has lost it, and hangs in that sense. See docs/adr/0184.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import structlog

from scripts.console import CommandError, fail, read_settings
from scripts.supervision.config import restarts_path
from scripts.supervision.health import CutOff, check_alive
from scripts.supervision.parts import TOGETHER, Part, parts
from scripts.supervision.supervisor import Process, Supervisor
from services.common import log as logs
from services.common.process import die_with_parent
from services.common.rpc.heartbeat import HUNG_S
from services.settings import Settings

FAILURES = 4
BUSY_HUNG_S = 60.0
_BUSY = 0.1  # of a core
GRACE_S = 120.0
_TIMEOUT_S = 3.0  # of one question: a machine that also trains answers slowly
_EVERY_S, _AGAIN_S = 2.0, 1.0
_LOOK_EVERY_S = 1.0
_QUICK_S, _FRESH_S = 0.5, 6.0  # a service answers us well: so quickly, and so lately

log = structlog.get_logger("watchdog")


def kill_group(pid: int) -> None:
    """SIGKILL to a part's processes; supervisord makes each part the leader of a group of its own."""
    try:
        if os.getpgid(pid) == pid:
            os.killpg(pid, signal.SIGKILL)
        else:
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:  # it ended by itself
        return


def processor_s(pid: int) -> float:
    """Processor time that a process and its children have used, in seconds; 0 if it has gone."""
    try:
        process = psutil.Process(pid)
        times = [one.cpu_times() for one in (process, *process.children(recursive=True))]
    except psutil.Error:
        return 0.0
    return float(sum(one.user + one.system for one in times))


@dataclass
class Watch:
    """What is known of one part. `answered_at`, `took_s`: when its last answer was asked for, and how long
    it took; `pid` 0: it was not seen yet."""

    pid: int = 0
    answered_at: float = 0.0
    took_s: float = 0.0
    answered: bool = False
    failures: int = 0
    failing_since: tuple[float, float] = (0.0, 0.0)  # when, and the processor time it had used by then

    def hangs(
        self, pid: int, uptime_s: float, asked_at: float, now: float, problem: str, used_s: float = 0.0
    ) -> bool:
        """Note an answer, or how there was none; whether the process `pid` is to be killed.

        Args:
            uptime_s: seconds since its start. asked_at, now: when it was asked and when that ended.
            used_s: processor time that it has used by now; read only when it did not answer.
        """
        if pid != self.pid:
            self.pid, self.answered_at, self.answered, self.failures = pid, asked_at, False, 0
        if not problem:
            self.answered_at, self.took_s, self.answered, self.failures = asked_at, now - asked_at, True, 0
            return False
        self.failures += 1
        if self.failures == 1:
            self.failing_since = (now, used_s)
        since, used_before_s = self.failing_since
        works = used_s - used_before_s > _BUSY * (now - since)
        if not self.answered and uptime_s < GRACE_S:
            return False
        return self.failures >= FAILURES and now - self.answered_at >= (BUSY_HUNG_S if works else HUNG_S)

    def answers_well(self, now: float) -> bool:
        """Whether it answered lately and quickly."""
        return self.failures == 0 and now - self.answered_at < _FRESH_S and self.took_s < _QUICK_S


@dataclass
class Watchdog:
    """Watches the parts of one state folder, each in a thread of its own."""

    supervisor: Supervisor
    parts: Mapping[str, Part]
    restarts_file: Path
    watches: dict[str, Watch] = field(default_factory=dict)
    losses: dict[str, Watch] = field(default_factory=dict)
    processes: dict[str, Process] = field(default_factory=dict)
    stop: threading.Event = field(default_factory=threading.Event)
    kill: Callable[[int], None] = kill_group
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> None:
        """Watch until `stop` is set."""
        self.watches = {name: Watch() for name in self.parts}
        threads = [
            threading.Thread(target=self._watch, args=(part,), daemon=True) for part in self.parts.values()
        ]
        self.look()
        for thread in threads:
            thread.start()
        while not self.stop.wait(_LOOK_EVERY_S):
            self.look()

    def look(self) -> None:
        """Ask supervisord what runs."""
        try:
            self.processes = self.supervisor.processes()
        except CommandError as error:
            log.warning("watchdog.no_supervisord", error=str(error))
            self.processes = {}

    def _watch(self, part: Part) -> None:
        wait_s = 0.0
        while not self.stop.wait(wait_s):
            process = self.processes.get(part.name)
            if process is None or process.state != "RUNNING":
                wait_s = _AGAIN_S
                continue
            wait_s = _EVERY_S if self.ask(part, process) else _AGAIN_S

    def ask(self, part: Part, process: Process) -> bool:
        """Ask one part, kill it if it hangs; whether it answered, and has lost nobody."""
        asked_at, silent, lost = time.monotonic(), "", ""
        try:
            silent = check_alive(part, _TIMEOUT_S)
        except CutOff as error:
            lost = self._lost(error.services)
        now = time.monotonic()
        watch = self.watches[part.name]
        if not silent and not (watch.answered and watch.pid == process.pid):
            log.info("watchdog.first_answer", part=part.name, pid=process.pid)
        if silent and watch.failures == 0 and watch.answered and watch.pid == process.pid:
            log.info("watchdog.no_answer", part=part.name, pid=process.pid, problem=silent)
        used_s = processor_s(process.pid) if silent or lost else 0.0
        for counted, problem in ((watch, silent), (self.losses.setdefault(part.name, Watch()), lost)):
            if counted.hangs(process.pid, process.uptime_s, asked_at, now, problem, used_s):
                log.error(
                    "watchdog.killed", part=part.name, pid=process.pid, problem=problem,
                    silent_s=round(now - counted.answered_at, 1), questions=counted.failures,
                )  # fmt: skip
                self.kill(process.pid)
                counted.pid = 0
                self._count(part.name)
        return not silent and not lost

    def _lost(self, services: Iterable[str]) -> str:
        """What a front end has lost: services that do not answer it, but us."""
        now = time.monotonic()
        # In the topology together one part answers for all five services.
        found = {name: self.watches.get(name) or self.watches.get(TOGETHER) for name in services}
        watched = {name: watch for name, watch in found.items() if watch is not None}
        lost = [name for name, watch in watched.items() if watch.answers_well(now)]
        return f"not answered by {', '.join(lost)}" if lost else ""

    def _count(self, name: str) -> None:
        with self._lock:
            counts = Counter(read_restarts(self.restarts_file))
            counts[name] += 1
            new = self.restarts_file.with_suffix(".new")
            new.write_text(json.dumps(counts), "utf-8")
            new.replace(self.restarts_file)


def read_restarts(path: Path) -> dict[str, int]:
    """How often each part was killed because it hung, since `make up`; parts that never were are left out."""
    try:
        return {str(name): int(count) for name, count in json.loads(path.read_text("utf-8")).items()}
    except (OSError, ValueError, AttributeError):
        return {}


def watched(settings: Settings) -> dict[str, Part]:
    """The parts that are ours to start, by name."""
    # PaddleServing is a part as soon as there is a release; which one does not matter here.
    found = parts(settings, settings.artifacts_dir)
    return {part.name: part for part in found if part.command}


def main() -> int:
    """The command; returns the exit status."""
    die_with_parent()
    try:
        settings = read_settings()
        logs.configure(settings.log_level, settings.log_format, service="watchdog")
        watchdog = Watchdog(
            Supervisor(settings.state_dir), watched(settings), restarts_path(settings.state_dir)
        )
    except CommandError as error:
        return fail("watchdog", error)
    signal.signal(signal.SIGTERM, lambda *_: watchdog.stop.set())
    log.info("watchdog.started", parts=len(watchdog.parts), hung_s=HUNG_S)
    watchdog.run()
    return 0


if __name__ == "__main__":
    sys.exit(main())
