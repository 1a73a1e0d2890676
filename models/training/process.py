"""Settings of the whole process that training needs: Paddle's libraries and glibc's memory.

Nothing happens when this is imported. ``models.paddle`` prepares the process, ``fit`` keeps memory.
"""

from __future__ import annotations

import ctypes
import importlib.util
import os
import warnings
from pathlib import Path

_MKL_KERNELS = "MKL_DEBUG_CPU_TYPE"
_AVX2, _AVX512 = "5", "7"
_LIBGOMP = "libgomp.so.1"
# Numbers of glibc's malloc.h.
_TRIM_THRESHOLD, _TOP_PAD, _MMAP_MAX = -1, -2, -4
_NEVER, _MIB = 2**31 - 1, 2**20


def prepare_for_paddle() -> None:
    """Must come before Paddle is imported: matrix kernels, libgomp, and no warning about ccache."""
    # Paddle says so at every import; it compiles nothing here.
    warnings.filterwarnings("ignore", message="No ccache found")
    use_wide_vectors()
    provide_libgomp()


def use_wide_vectors(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Name the processor's vector instructions to Paddle's MKL; what the environment says already stays.

    Paddle's wheel carries MKL of 2019, which chooses its kernels by the maker's name: on a processor of AMD
    it takes its oldest ones and multiplies matrices at a fifth of the speed.
    """
    best = best_kernels(cpuinfo)
    if best:
        os.environ.setdefault(_MKL_KERNELS, best)


def best_kernels(cpuinfo: Path) -> str:
    """MKL's name for the kernels; empty where it chooses well itself or nothing is known."""
    try:
        text = cpuinfo.read_text("utf-8", "replace")
    except OSError:
        return ""
    fields: dict[str, str] = {}
    for line in text.splitlines():
        name, _, value = line.partition(":")
        fields.setdefault(name.strip(), value.strip())
    flags = set(fields.get("flags", "").split())
    if fields.get("vendor_id") != "AuthenticAMD":
        return ""
    if {"avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl"} <= flags:
        return _AVX512
    return _AVX2 if {"avx2", "fma"} <= flags else ""


def provide_libgomp() -> None:
    """Load the system's libgomp, which Paddle needs and a minimal machine lacks, or the copy that the
    milvus-lite wheel carries. With neither, nothing happens here and Paddle says what it misses."""
    for candidate in (_LIBGOMP, str(bundled_libgomp() or "")):
        try:
            if candidate:
                ctypes.CDLL(candidate, mode=ctypes.RTLD_GLOBAL)
                return
        except OSError:
            continue


def bundled_libgomp() -> Path | None:
    """The copy inside the milvus-lite wheel, found without importing it; None if that is not installed."""
    wheel = importlib.util.find_spec("milvus_lite")
    for folder in (wheel.submodule_search_locations or []) if wheel else []:
        library = Path(folder) / "lib" / _LIBGOMP
        if library.is_file():
            return library
    return None


def keep_freed_memory() -> bool:
    """Tell glibc's malloc to keep what a training step frees for the next one; for processes that train, not
    for services. Returns whether anything was changed.

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
