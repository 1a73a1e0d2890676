"""`make up`: from whatever is there to a running shop; a step whose product is there is skipped."""

from __future__ import annotations

import argparse
import errno
import sys
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import redis

from engine.release import ReleaseError
from scripts.console import CommandError, console, fail, of_this_copy, read_settings
from scripts.supervision import building
from scripts.supervision.config import log_path, nginx_conf, supervisord_conf
from scripts.supervision.health import wait_healthy
from scripts.supervision.leftovers import end, find_leftovers, port_holder, port_is_free
from scripts.supervision.lock import only_one
from scripts.supervision.parts import Part, nginx_dir, nginx_program, parts
from scripts.supervision.samples import print_addresses
from scripts.supervision.steps import Steps
from scripts.supervision.stopping import stop_all
from scripts.supervision.supervisor import Supervisor
from services.settings import Settings

_LOG_LINES = 8


class Up:
    """One run of `make up`."""

    def __init__(self, settings: Settings, steps: Steps, timeout_s: float, named: str = "") -> None:
        self._settings = settings
        self._steps = steps
        self._timeout_s = timeout_s
        self._named = named
        self._supervisor = Supervisor(settings.state_dir)

    def run(self) -> None:
        """All steps. Raises CommandError for the one that failed; what was started goes on running."""
        self._steps.skip("environment", f"Python {sys.version.split()[0]}")
        building.check_disk(self._settings)
        self._clear_the_ground()
        release = self._pick()
        self._check_ports(release)
        self._prepare()
        release = self._train(
            release
        )  # before anything starts: what cannot be trained leaves nothing running
        self._compile()
        self._supervise(release)
        self._start("stores", 0, 0)
        self._load(release)
        self._start("services", 1, 4)
        print_addresses(self._steps.console, self._settings, release.name)

    def _clear_the_ground(self) -> None:
        """End what a killed supervisord left, and restart everything when the settings are others now."""
        if self._supervisor.running():
            if self._supervisor.matches(self._settings):
                return
            with self._steps.step("settings changed") as step:
                step.note = f"{len(stop_all(self._supervisor, self._settings.state_dir))} parts stopped"
        left = find_leftovers(self._settings.state_dir)
        if left:
            with self._steps.step("leftovers") as step:
                step.note = "ended " + ", ".join(end(left))

    def _pick(self) -> Path | None:
        """The release to serve if there is one: the one that is served, or a first one that is named."""
        served = building.pick_release(self._settings)
        if not self._named or (served is not None and served.name == self._named):
            return served
        if served is not None:
            raise CommandError(
                f"{served.name} is served here: to change it say make release NAME={self._named}"
            )
        return building.named_release(self._settings, self._named)

    def _prepare(self) -> None:
        title, folder = "data", building.prepared_dir(self._settings)
        if building.is_prepared(self._settings):
            self._steps.skip(title, str(folder))
            return
        with self._steps.step(f"{title}: prepare {self._settings.dataset}", talks=True):
            building.prepare(self._settings)

    def _train(self, release: Path | None) -> Path:
        if release is not None:
            self._steps.skip("release", release.name)
            return release
        for old in building.outdated(self._settings):
            self._steps.skip("release", f"{old.name} is of another version of ECRS: not used")
        with self._steps.step(f"train ({self._settings.train_config})", talks=True) as step:
            trained = building.train(self._settings)
            step.note = trained.name
        problem = building.gate_problem(trained)
        if problem:
            raise CommandError(f"{problem}; make up RELEASE={trained.name} serves it all the same")
        return trained

    def _compile(self) -> None:
        """Compile the kernels where numba is installed: services that did it would not be healthy in time."""
        if self._settings.kernels == "auto" and find_spec("numba") is not None:
            with self._steps.step("kernels"):
                building.run("compiling the kernels", self._settings, "engine.kernels")

    def _supervise(self, release: Path) -> None:
        """Let supervisord know the parts as they are now; it is started if it does not run."""
        nginx_dir(self._settings).mkdir(parents=True, exist_ok=True)
        (nginx_dir(self._settings) / "nginx.conf").write_text(nginx_conf(self._settings), "utf-8")
        conf = supervisord_conf(self._settings, parts(self._settings, release))
        if self._supervisor.running():
            self._supervisor.update(conf)
        else:
            self._supervisor.start(self._settings, conf)
        self._release = release

    def _load(self, release: Path) -> None:
        if upgraded := building.upgrade_store(self._settings):
            self._steps.console.print(f"{upgraded:,} rows and lists of an earlier version in their new form")
        if building.data_is_loaded(self._settings):
            self._steps.skip("load data", "Redis holds it")
        else:
            with self._steps.step("load data", talks=True):
                building.load_data(self._settings)
        if building.vectors_are_loaded(self._settings, release):
            self._steps.skip("load vectors", "Milvus holds them")
        else:
            with self._steps.step("load vectors", talks=True):
                building.load_vectors(self._settings, release)
        building.move_pointer(self._settings, release.name)

    def _start(self, title: str, low: int, high: int) -> None:
        """Start what does not run of these tiers, all at once, and wait until all are healthy."""
        wanted = [part for part in parts(self._settings, self._release) if low <= part.tier <= high]
        processes = self._supervisor.processes()
        missing = [part for part in wanted if part.command and not processes[part.name].alive]
        with self._steps.step(title) as step:
            self._supervisor.start_parts(part.name for part in missing)
            sick = wait_healthy(wanted, self._timeout_s, lambda names: step.now(", ".join(names)))
            if sick:
                raise CommandError(self._explain(wanted, sick))
            step.note = f"{len(missing)} started, {len(wanted)} healthy"

    def _check_ports(self, release: Path | None) -> None:
        """All ports first, so that nobody waits for a training that cannot be served."""
        runs = self._supervisor.processes() if self._supervisor.running() else {}
        for part in parts(self._settings, release or self._settings.artifacts_dir):
            process = runs.get(part.within or part.name)
            if not (part.command or part.within) or (process is not None and process.alive):
                continue
            host = "127.0.0.1" if part.tier <= 1 else self._settings.bind
            if not port_is_free(host, part.port):
                raise CommandError(
                    f"port {part.port} ({part.title}) is in use by {port_holder(part.port)}: "
                    f"stop it, or run on other ports with ECRS_PORT_OFFSET"
                )

    def _explain(self, wanted: list[Part], sick: dict[str, str]) -> str:
        """Print the last log lines of each part that is not healthy; returns the one line of the error."""
        ours = [part for part in wanted if part.name in sick and (part.command or part.within)]
        for name in dict.fromkeys(part.within or part.name for part in ours):
            path = log_path(self._settings.state_dir, name)
            if path.is_file():
                self._steps.console.print(f"\n{name}: the end of {path}", style="bold", markup=False)
                lines = path.read_text("utf-8", "replace").splitlines()[-_LOG_LINES:]
                self._steps.console.print("\n".join(lines), markup=False)
        reasons = "; ".join(f"{name}: {reason}" for name, reason in sick.items())
        logs = log_path(self._settings.state_dir, "<part>")
        return f"not healthy after {self._timeout_s:.0f} s: {reasons} (logs: {logs})"


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m scripts.up", description="Start ECRS on this machine.")
    parser.add_argument(
        "--timeout", type=float, default=90.0, help="seconds a part may take to become healthy (%(default)s)"
    )
    parser.add_argument(
        "--release", default="", metavar="NAME", help="serve this one first, even if popularity is as good"
    )
    options = parser.parse_args(argv)
    began = time.monotonic()
    try:
        settings = read_settings(of_this_copy)
        problem = settings.exposure_problem(settings.bind)
        if problem:
            raise CommandError(problem)
        with only_one(settings.state_dir):
            out = console()
            Up(settings, Steps(out), options.timeout, options.release).run()
            out.print(f"\n[bold green]ECRS is up[/bold green] after {time.monotonic() - began:.1f} s")
            if nginx_program() is None:
                out.print(
                    "Nginx is not installed (Debian: apt-get install nginx); use the front ends directly."
                )
    except (CommandError, ReleaseError) as error:
        return fail("make up", error)
    except redis.RedisError as error:
        return fail("make up", f"Redis: {error}")
    except OSError as error:
        return fail("make up", "the disk is full: make room" if error.errno == errno.ENOSPC else error)
    except KeyboardInterrupt:
        return fail("make up", "interrupted; say make up to go on, make down to stop what runs") + 129
    return 0


if __name__ == "__main__":
    sys.exit(main())
