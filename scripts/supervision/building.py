"""What must exist before the services start: a prepared dataset, a release, both loaded into the stores."""

from __future__ import annotations

import errno
import json
import shutil
import subprocess
import sys
from collections.abc import Collection
from pathlib import Path

import redis

from engine.errors import EcrsError
from engine.features.schema import FORMAT_VERSION
from engine.release import MANIFEST, SCHEMA, current, list_releases, set_current
from scripts.console import CommandError
from scripts.redis_load.upgrade import upgrade
from scripts.supervision.supervisor import environment
from services.common import keys
from services.settings import ROOT, Settings

PREVIOUS = "previous"
"""File beside `current` in the artifacts folder: the release that was current before."""
RELEASED = "released"
"""File in the state folder: the release that this copy serves."""
"""Redis hash of what is loaded: `data` (the prepared data's fingerprint), `release`, `milvus` (the URI)."""

NO_BETTER = 3
"""The exit status of `models.train` for a release that popularity is as good as."""
_NEEDED_BYTES = 10**9
_TIMEOUT_S = 5.0
_FILES = ("users.parquet", "items.parquet", "events.parquet", "dataset.toml", "report.json")
_SOURCES: dict[str, tuple[str, ...]] = {
    "completejourney": ("completejourney",),
    "sample": ("jdata", "--path", str(ROOT / "data" / "sample"), "--name", "sample"),
}


def check_disk(settings: Settings) -> None:
    """Raises CommandError when a folder that is written to has less than 1 GB left."""
    for folder in (settings.state_dir, settings.prepared_dir, settings.artifacts_dir):
        folder.mkdir(parents=True, exist_ok=True)
        free = shutil.disk_usage(folder).free
        if free < _NEEDED_BYTES:
            raise CommandError(f"only {free / 1e9:.1f} GB free at {folder}: make room, 1 GB is needed")


def prepared_dir(settings: Settings) -> Path:
    """The folder of the prepared dataset."""
    return settings.prepared_dir / settings.dataset


def is_prepared(settings: Settings) -> bool:
    """Whether the prepared dataset is complete, and newer than our own raw files and adapters."""
    folder = prepared_dir(settings)
    if not all((folder / name).is_file() for name in _FILES):
        return False
    if settings.dataset not in _SOURCES:
        return True
    made = (folder / "report.json").stat().st_mtime
    code = [*(ROOT / "data").glob("*.py"), *(ROOT / "data" / "sources").glob("*.py")]
    raw = (ROOT / "data" / "sample").glob("*") if settings.dataset == "sample" else ()
    return all(path.stat().st_mtime <= made for path in (*code, *raw))


def prepare(settings: Settings) -> None:
    """Prepare the dataset. Raises CommandError for a name that is neither known nor already prepared."""
    source = _SOURCES.get(settings.dataset)
    if source is None:
        known = ", ".join(sorted(_SOURCES))
        raise CommandError(
            f"ECRS_DATASET={settings.dataset}: not in {settings.prepared_dir}, and not one of {known}: "
            "correct the name, or prepare it with python -m data.prepare (data/README.md)"
        )
    run("preparing the data", settings, "data.prepare", *source, "--out", str(settings.prepared_dir))
    report = prepared_dir(settings) / "report.json"
    if report.is_file():
        report.touch()  # prepared data that was found unchanged is current from now on


def pick_release(settings: Settings) -> Path | None:
    """The release of the dataset to serve: the one that this copy served last, else the current one, else the
    newest that passed its gate; none of ``outdated``."""
    released = _released(settings)
    for release in _releases(settings):
        if not _is_outdated(release) and (release.name in released or not gate_problem(release)):
            return release
    return None


def named_release(settings: Settings, name: str) -> Path:
    """The release of this name. Raises CommandError if there is none, or it is of another dataset."""
    names = [release.name for release in _releases(settings)]
    if name not in names:
        have = ", ".join(names) or "none"
        raise CommandError(
            f"{name}: no release of {settings.dataset} in {settings.artifacts_dir}; there are: {have}"
        )
    return settings.artifacts_dir / name


def gate_problem(release: Path) -> str:
    """Why a release is served only if it is named; empty where nothing speaks against it."""
    try:
        metrics = json.loads((release / MANIFEST).read_text("utf-8"))["metrics"]
        if metrics["gate_passed"]:
            return ""
        found, popular = (metrics[name]["ndcg_at_20"] for name in ("pipeline", "popularity"))
    except (OSError, ValueError, KeyError, TypeError):
        return ""  # not measured, or damaged: loading it says how
    return (
        f"{release.name} is not served by itself: on the last {metrics['window_days']:g} days of the data "
        f"its lists are no better than what is popular (N@20 {found:.4f} to {popular:.4f}): more events help"
    )


def outdated(settings: Settings) -> list[Path]:
    """The dataset's releases that another version of this program made, and this one cannot read."""
    return [release for release in _releases(settings) if _is_outdated(release)]


def _released(settings: Settings) -> list[str]:
    """What was released: by this copy, and by whichever copy of these artifacts was the last to do so."""
    try:
        own = (settings.state_dir / RELEASED).read_text("utf-8").strip()
    except FileNotFoundError:
        own = ""
    return [name for name in (own, current(settings.artifacts_dir)) if name]


def _releases(settings: Settings) -> list[Path]:
    """The dataset's releases, those released first, then by age."""
    every = list_releases(settings.artifacts_dir)
    names = dict.fromkeys([*(name for name in _released(settings) if name in every), *every])
    return [settings.artifacts_dir / name for name in names if name.rpartition("-")[0] == settings.dataset]


def _is_outdated(release: Path) -> bool:
    try:
        version = json.loads((release / SCHEMA).read_text("utf-8"))["version"]
    except (OSError, ValueError, KeyError, TypeError):
        return False  # incomplete or damaged: loading it says how
    return bool(version != FORMAT_VERSION)


def train(settings: Settings, *arguments: str) -> Path:
    """Train a release of the prepared data and return its folder; nothing is switched to it.

    `arguments` go to `models.train`.
    """
    folders = ("--data", str(prepared_dir(settings)), "--out", str(settings.artifacts_dir))
    options = ("--config", settings.train_config, *arguments)
    before = set(_releases(settings))
    run("training", settings, "models.train", *folders, *options, fine=(0, NO_BETTER))
    made = [release for release in _releases(settings) if release not in before]
    if not made:
        raise CommandError(f"training left no release in {settings.artifacts_dir}: see its messages above")
    return made[0]


def load_vectors(settings: Settings, release: Path) -> None:
    """Load the item vectors into Milvus; done quickly where they are there, and nothing with exact search."""
    if settings.milvus():
        run("loading Milvus", settings, "scripts.to_milvus", "--release", str(release))


def upgrade_store(settings: Settings) -> int:
    """Bring what an earlier version left in Redis into the present form; how much there was. Done once."""
    try:
        with connect(settings) as client:
            return upgrade(client)
    except (EcrsError, ValueError) as error:
        raise CommandError(f"Redis: {error}") from error


def load_data(settings: Settings, *arguments: str) -> None:
    """Load users, items and histories into Redis; readers see the old ones until it is complete.

    What was written through the API stays as it is. `arguments` go to `scripts.to_redis`.
    """
    fingerprint = _fingerprint(settings)
    data = str(prepared_dir(settings))
    run("loading Redis", settings, "scripts.to_redis", "--data", data, *arguments)
    with connect(settings) as client:
        client.hset(keys.LOADED, "data", fingerprint)


def data_is_loaded(settings: Settings) -> bool:
    """Whether Redis holds the prepared data as it is now, as far as it remembers."""
    with connect(settings) as client:
        return bool(client.hget(keys.LOADED, "data") == _fingerprint(settings).encode())


def loaded_dataset(settings: Settings) -> str:
    """Name of the dataset whose users and items Redis holds; empty when there is none."""
    with connect(settings) as client:
        raw = client.get(keys.DATASET)
    return str(json.loads(raw)["dataset"]["name"]) if isinstance(raw, bytes) else ""


def vectors_are_loaded(settings: Settings, release: Path) -> bool:
    """Whether Milvus, if there is one, holds the vectors of this release, as far as Redis remembers."""
    if not settings.milvus():
        return True
    expected = [release.name.encode(), settings.milvus().encode()]
    with connect(settings) as client:
        return bool(client.hmget(keys.LOADED, "release", "milvus") == expected)


def move_pointer(settings: Settings, release: str) -> str:
    """Make `release`, which is loaded, the current one: the services follow within seconds.

    Returns the one that was current before, remembered for a roll-back; empty if there was none.
    """
    before = pointer(settings)
    with connect(settings) as client:
        client.hset(keys.LOADED, mapping={"release": release, "milvus": settings.milvus()})
        client.set(keys.RELEASE, release)
    if before and before != release:
        (settings.artifacts_dir / PREVIOUS).write_text(before + "\n", "utf-8")
    (settings.state_dir / RELEASED).write_text(release + "\n", "utf-8")
    set_current(release, settings.artifacts_dir)
    return before


def pointer(settings: Settings) -> str:
    """The release that Redis names, or nothing."""
    with connect(settings) as client:
        value = client.get(keys.RELEASE)
    return value.decode() if isinstance(value, bytes) else ""


def connect(settings: Settings) -> redis.Redis:
    """A client of Redis; a context manager that closes it."""
    url = settings.redis()
    return redis.Redis.from_url(url, socket_timeout=_TIMEOUT_S, socket_connect_timeout=_TIMEOUT_S)


def run(what: str, settings: Settings, module: str, *arguments: str, fine: Collection[int] = (0,)) -> None:
    """Run one of our programs on this terminal.

    Raises CommandError when its exit status is not in `fine`: the program's own message is above then.
    """
    command = [sys.executable, "-m", module, *arguments]
    try:
        status = subprocess.run(command, cwd=ROOT, env=environment(settings), check=False).returncode
    except OSError as error:
        full = error.errno == errno.ENOSPC
        raise CommandError(f"{what}: {'the disk is full: make room' if full else error}") from error
    if status not in fine:
        raise CommandError(f"{what} failed (exit status {status}): its message is above")


def _fingerprint(settings: Settings) -> str:
    """The prepared data's. Raises CommandError."""
    report = prepared_dir(settings) / "report.json"
    try:
        return str(json.loads(report.read_text("utf-8"))["fingerprint"])
    except (OSError, ValueError, KeyError) as error:
        raise CommandError(f"{report}: not readable: prepare the data again with --force") from error
