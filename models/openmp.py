"""libgomp.so.1, which Paddle needs and a minimal machine lacks."""

from __future__ import annotations

import ctypes
import importlib.util
from pathlib import Path

_NAME = "libgomp.so.1"


def provide() -> None:
    """Load the system's libgomp, or the copy that the milvus-lite wheel carries; must come before Paddle.

    With neither, nothing happens here and Paddle says what it misses.
    """
    for candidate in (_NAME, str(bundled() or "")):
        try:
            if candidate:
                ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
                return
        except OSError:
            continue


def bundled() -> Path | None:
    """The copy inside the milvus-lite wheel, found without importing it; None if that is not installed."""
    wheel = importlib.util.find_spec("milvus_lite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        library = Path(folder) / "lib" / _NAME
        if library.is_file():
            return library
    return None
