"""glibc's malloc, told to keep what a training step frees for the next step."""

from __future__ import annotations

import ctypes

# Numbers of malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER, _MIB = 2**31 - 1, 2**20


def keep_freed_memory() -> bool:
    """For processes that train, not for services; returns whether anything was changed.

    By default glibc maps every large block anew and gives it back when it is freed. A training step frees and
    takes the same blocks over and over, so the kernel clears the same pages in every step: up to half of the
    time. Afterwards the process holds on to the most memory it ever needed. Without glibc nothing happens.
    """
    try:
        library = ctypes.CDLL(None)
        library.gnu_get_libc_version  # noqa: B018 - only glibc has it
    except (OSError, AttributeError, TypeError):
        return False
    settings = {_MMAP_MAX: 0, _TRIM_THRESHOLD: _NEVER, _TOP_PAD: 64 * _MIB}
    done = [library.mallopt(name, value) for name, value in settings.items()]  # 1 = taken
    return all(done)
