"""`make status`: a table of the parts; the exit status is 0 only if all of them are healthy."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import redis
from rich.table import Table

from engine.errors import EcrsError
from scripts.console import CommandError, console, fail, read_settings
from scripts.supervision import building
from scripts.supervision.config import restarts_path, served_release
from scripts.supervision.health import check_all
from scripts.supervision.parts import TOGETHER, Part, parts
from scripts.supervision.supervisor import Process, Supervisor
from scripts.supervision.watchdog import read_restarts
from services.settings import Settings
from services.user.live_events import unexported


@dataclass(frozen=True)
class Row:
    """A line of the table.

    `health` is "ok" or the reason; `release` what the part works with, if any; `hangs` how often it was
    killed because it hung, since `make up`.
    """

    part: str
    state: str
    pid: int
    uptime_s: float
    port: int
    health: str
    release: str
    hangs: int = 0


def rows(settings: Settings) -> list[Row]:
    """A row for each part. Raises CommandError when supervisord runs but does not answer."""
    supervisor = Supervisor(settings.state_dir)
    processes = supervisor.processes() if supervisor.running() else {}
    release = building.pick_release(settings)
    listed = parts(settings, release)
    health = check_all(listed)
    releases = _releases(settings, redis_answers=not health["redis"])
    hangs = read_restarts(restarts_path(settings.state_dir))
    return [
        _row(
            part,
            processes.get(part.within or part.name),
            health[part.name],
            releases.get(part.name, ""),
            hangs.get(part.name, 0),
        )
        for part in listed
    ]


def is_watched(settings: Settings) -> bool:
    """Whether what hangs is restarted, or nothing runs that could hang."""
    supervisor = Supervisor(settings.state_dir)
    return not supervisor.running() or supervisor.helper_runs("watchdog")


def _row(part: Part, process: Process | None, health: str, release: str, hangs: int) -> Row:
    ours = part.command or part.within
    state = "elsewhere" if not ours else process.state.lower() if process else "stopped"
    pid, uptime = (process.pid, process.uptime_s) if process else (0, 0.0)
    return Row(part.name, state, pid, uptime, part.port, health or "ok", release, hangs)


def _releases(settings: Settings, *, redis_answers: bool) -> dict[str, str]:
    """Release by part: PaddleServing's own; for those that follow it, the one that Redis names."""
    found = {"serving": served_release(settings.state_dir)}
    if redis_answers:
        try:
            name = building.pointer(settings)
        except redis.RedisError:  # it went away since it was asked for its health
            return found
        found |= dict.fromkeys(("redis", "milvus", TOGETHER, "recall", "rank", "recommend"), name)
    return found


def _uptime(seconds: float) -> str:
    if seconds <= 0:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def _table(found: list[Row]) -> Table:
    table = Table("part", "state", "pid", "uptime", "port", "health", "hangs", "release")
    for row in found:
        health = f"[green]{row.health}[/green]" if row.health == "ok" else f"[red]{row.health}[/red]"
        pid = str(row.pid) if row.pid else ""
        uptime, hangs = _uptime(row.uptime_s), str(row.hangs or "")
        table.add_row(row.part, row.state, pid, uptime, str(row.port), health, hangs, row.release)
    return table


def _unexported(settings: Settings) -> str:
    """How many live events no file has, in a line; empty while Redis does not answer."""
    try:
        with building.connect(settings) as client:
            events, memory = unexported(client), client.info("memory")["used_memory_human"]
    except (redis.RedisError, EcrsError):
        return ""
    return (
        f"{events:,} live events are in Redis only, which holds {memory} in all "
        "(python -m scripts.export_events --archive FOLDER writes them)"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns 0 when every part is healthy, else 1."""
    parser = argparse.ArgumentParser(prog="python -m scripts.status", description="Show the parts of ECRS.")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    options = parser.parse_args(argv)
    try:
        settings = read_settings()
        found, watched = rows(settings), is_watched(settings)
    except CommandError as error:
        return fail("make status", error)
    if options.json:
        print(json.dumps([asdict(row) for row in found]))
    else:
        console().print(_table(found))
        if line := _unexported(settings):
            console().print(line, markup=False)
    if not watched:
        fail("make status", "the watchdog does not run: what hangs is not restarted; see log/watchdog.log")
    return 0 if watched and all(row.health == "ok" for row in found) else 1


if __name__ == "__main__":
    sys.exit(main())
