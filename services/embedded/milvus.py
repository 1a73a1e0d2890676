"""`python -m services.embedded.milvus`: Milvus Lite's engine on loopback, for any pymilvus client.

The engine is the C++ program inside the `milvus-lite` wheel. The wheel's own `Server` would start it so that
it outlives a killed parent, and a second one on the same port and file goes unnoticed; so we start it
ourselves, tied to us.
"""

from __future__ import annotations

import fcntl
import importlib.util
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import IO

from services.common.process import die_with_parent, own_session
from services.embedded.options import HOST, CannotStart, fail, parse

_DATABASE = "ecrs.db"
_STOP_WITHIN_S = 5.0
_LOOK_EVERY_S = 0.2


def main(argv: list[str] | None = None) -> int:
    """Run until SIGTERM, or until the engine ends, which is a failure; returns the exit status."""
    own_session()
    die_with_parent()
    stopping = threading.Event()

    def stop(signum: int, frame: FrameType | None) -> None:
        stopping.set()

    signal.signal(signal.SIGTERM, stop)
    signal.signal(signal.SIGINT, stop)
    try:
        port, folder, _ = parse("milvus", 19530, "var/milvus", argv)
        with _only_one(folder):
            return _watch(_start_engine(_find_engine(), port, folder), stopping)
    except CannotStart as error:
        return fail("Milvus", error)


def _find_engine() -> Path:
    """The engine in the milvus-lite wheel; found without importing it, which needs old setuptools."""
    wheel = importlib.util.find_spec("milvus_lite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        engine = Path(folder) / "lib" / "milvus"
        if os.access(engine, os.X_OK):
            return engine
    raise CannotStart("the milvus-lite 2.5.1 wheel is not installed: run `make env`")


def _only_one(folder: Path) -> IO[bytes]:
    """Hold the folder's lock: two engines on one file destroy it. The kernel gives it back when we end."""
    lock = (folder / "lock").open("ab")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        lock.close()
        raise CannotStart(f"{folder} is in use by another Milvus: stop it or choose another --dir") from error
    return lock


def _start_engine(engine: Path, port: int, folder: Path) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [str(engine), str(folder / _DATABASE), f"{HOST}:{port}", "ERROR"],
        cwd=folder,
        env={**os.environ, "LD_LIBRARY_PATH": str(engine.parent)},  # its libraries lie beside it
        # In the child, before it becomes the engine: killed with us, even by kill -9. We run no threads yet.
        preexec_fn=lambda: die_with_parent(signal.SIGKILL),  # noqa: PLW1509
    )


def _watch(engine: subprocess.Popen[bytes], stopping: threading.Event) -> int:
    while not stopping.wait(_LOOK_EVERY_S):
        if engine.poll() is not None:
            raise CannotStart(f"the engine ended with status {engine.returncode}")
    engine.terminate()
    try:
        engine.wait(_STOP_WITHIN_S)
    except subprocess.TimeoutExpired:
        engine.kill()
        engine.wait()
    return 0


if __name__ == "__main__":
    sys.exit(main())
