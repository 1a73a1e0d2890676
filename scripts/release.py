"""`make release`: which release the running shop serves: list them, switch to one, or go back.

    python -m scripts.release               the newest release of the dataset
    python -m scripts.release NAME          this one
    python -m scripts.release --rollback    the one that was current before
    python -m scripts.release --list

Everything is checked and loaded before the pointer moves; a step that fails leaves the shop as it was. Only
models change: users, items, events and what was written to them stay as they are (`make load` loads data).
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import redis
from rich.console import Console
from rich.table import Column, Table

from engine.release import Release, ReleaseError, current, list_releases
from scripts.console import CommandError, console, fail, read_settings
from scripts.supervision import building
from scripts.supervision.config import served_release, supervisord_conf
from scripts.supervision.health import wait_healthy
from scripts.supervision.lock import only_one
from scripts.supervision.parts import parts
from scripts.supervision.steps import Steps
from scripts.supervision.supervisor import Supervisor
from services.settings import Settings

_SERVING_S = 60.0


class Switch:
    """Makes one release current."""

    def __init__(self, settings: Settings, steps: Steps) -> None:
        self._settings = settings
        self._steps = steps
        self._supervisor = Supervisor(settings.state_dir)

    def to(self, name: str) -> None:
        """Verify, load the vectors, restart PaddleServing, move the pointer.

        Raises CommandError or ReleaseError for the step that failed; what it changed is put back first.
        """
        settings, folder = self._settings, self._settings.artifacts_dir / name
        before = building.pointer(settings) or current(settings.artifacts_dir) or ""
        with self._steps.step("verify"):
            release = Release.load(folder)
        if release.manifest.get("dataset") != settings.dataset:
            found = release.manifest.get("dataset")
            raise CommandError(f"{name} is of the dataset {found}, this shop serves {settings.dataset}")
        self._check_data()
        with self._steps.step("vectors into Milvus", talks=True):
            building.load_vectors(settings, folder)
        try:
            with self._steps.step("PaddleServing"):
                self._serve(folder)
        except (CommandError, KeyboardInterrupt):
            self._put_back(before)
            raise
        with self._steps.step("pointer") as step:
            step.note = f"{building.move_pointer(settings, name) or 'none'} → {name}"

    def _check_data(self) -> None:
        """Models need the users and items of their dataset. Raises CommandError."""
        settings = self._settings
        loaded = building.loaded_dataset(settings)
        if loaded != settings.dataset:
            raise CommandError(
                f"Redis holds {f'the data of {loaded}' if loaded else 'no data'}, not of {settings.dataset}: "
                "say make load first"
            )
        if building.is_prepared(settings) and not building.data_is_loaded(settings):
            self._steps.console.print(f"{settings.dataset} was prepared anew since: make load loads it")

    def _serve(self, folder: Path) -> None:
        """Let PaddleServing serve the release in `folder`, if it is ours and runs."""
        if not self._supervisor.running() or served_release(self._settings.state_dir) == folder.name:
            return
        listed = parts(self._settings, folder)
        self._supervisor.update(supervisord_conf(self._settings, listed))
        serving = [part for part in listed if part.name == "serving" and part.command]
        self._supervisor.start_parts(part.name for part in serving)
        sick = wait_healthy(serving, _SERVING_S, lambda names: None)
        if sick:
            raise CommandError(
                f"PaddleServing with {folder.name}: {sick['serving']}: the old one is put back"
            )

    def _put_back(self, before: str) -> None:
        """The model server as it was. What fails here is told; that hides no cause."""
        if not before:
            return
        try:
            self._serve(self._settings.artifacts_dir / before)
        except (CommandError, redis.RedisError) as error:
            fail("make release", f"putting {before} back: {error}: say make up")


def previous(artifacts: Path) -> str:
    """The release before the current one. Raises CommandError when there is none."""
    try:
        name = (artifacts / building.PREVIOUS).read_text("utf-8").strip()
    except FileNotFoundError:
        name = ""
    if name not in list_releases(artifacts):
        raise CommandError("no release was current before this one: name one (make release NAME=…)")
    return name


def newest(settings: Settings) -> str:
    """The newest release of the dataset. Raises CommandError if there is none, or it failed its gate."""
    for name in list_releases(settings.artifacts_dir):
        if name.rpartition("-")[0] == settings.dataset:
            problem = building.gate_problem(settings.artifacts_dir / name)
            if problem:
                raise CommandError(f"{problem}; make release NAME={name} serves it all the same")
            return name
    raise CommandError(f"no release of {settings.dataset} in {settings.artifacts_dir}: say make train")


def show(out: Console, settings: Settings) -> None:
    """Print the releases, newest first."""
    now = current(settings.artifacts_dir)
    table = Table(Column("release", no_wrap=True), "", "created", "items", "metrics")
    for name in list_releases(settings.artifacts_dir):
        manifest = Release.load(settings.artifacts_dir / name, verify=False).manifest
        metrics = manifest.get("metrics", {})
        numbers = [f"{key} {value:.4f}" for key, value in metrics.items() if isinstance(value, float)]
        created, items = str(manifest.get("created_at", "")), str(manifest.get("n_items", ""))
        table.add_row(name, "current" if name == now else "", created, items, ", ".join(numbers[:4]))
    out.print(table)


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m scripts.release", description="Switch the release.")
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("name", nargs="?", default="", help="the release; without it the newest")
    choice.add_argument("--list", action="store_true", help="list the releases")
    choice.add_argument("--rollback", action="store_true", help="go back to the one that was current before")
    return parser.parse_args(argv)


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit status."""
    options = _parse(argv)
    try:
        settings, out = read_settings(), console()
        if options.list:
            show(out, settings)
            return 0
        with only_one(settings.state_dir):
            rolled = previous(settings.artifacts_dir) if options.rollback else ""
            name = rolled or options.name or newest(settings)
            Switch(settings, Steps(out)).to(name)
            out.print(f"{name} is current; the services follow within seconds", markup=False)
    except (CommandError, ReleaseError, OSError) as error:
        return fail("make release", error)
    except redis.RedisError as error:
        return fail("make release", f"Redis: {error}: say make up first")
    except KeyboardInterrupt:
        return fail("make release", "interrupted; nothing was changed") + 129
    return 0


if __name__ == "__main__":
    sys.exit(main())
