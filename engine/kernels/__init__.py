"""Compiled kernels: the arithmetic of a request in one pass over its arrays, by numba.

numba is optional (`pip install ecrs[fast]`). A process that serves calls `load()` before its first request;
without numba, and in processes that never call it, every caller takes its numpy definition, which the kernels
equal within 1e-6 (tests/unit/test_kernels.py).

    history.py  a history's summary, the user-item features
    recall.py   sums over neighbours, the merge of channels
    folded.py   the first layer of a folded ranker
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Any

Kernel = Callable[..., Any]


@dataclass(frozen=True)
class Kernels:
    """The compiled functions; their arguments and results are described where they are defined."""

    summarise: Kernel
    cross_features: Kernel
    sum_neighbours: Kernel
    merge_channels: Kernel
    first_layer: Kernel


_loaded: Kernels | None = None


def load() -> bool:
    """Use the compiled kernels in this process from now on; False where numba is not installed.

    The first call on a machine compiles for about half a minute; later processes read the result from disk
    (`NUMBA_CACHE_DIR`, else beside the source or in the user's cache folder) within about a second.
    """
    global _loaded  # noqa: PLW0603 - one choice for the process, as of a library's version
    if _loaded is None and find_spec("numba") is not None:
        # Importing them compiles them.
        from engine.kernels import folded, history, recall  # noqa: PLC0415

        _loaded = Kernels(
            history.summarise,
            history.cross_features,
            recall.sum_neighbours,
            recall.merge_channels,
            folded.first_layer,
        )
    return _loaded is not None


def unload() -> None:
    """Take the numpy definitions again; for tests and comparisons."""
    global _loaded  # noqa: PLW0603
    _loaded = None


def loaded() -> Kernels | None:
    """The kernels, once `load` has succeeded."""
    return _loaded
