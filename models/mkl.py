"""Paddle's matrix library, told to use the vectors of processors that are not Intel's."""

from __future__ import annotations

import os
from pathlib import Path

_SETTING = "MKL_DEBUG_CPU_TYPE"
_AVX2, _AVX512 = "5", "7"


def use_wide_vectors(cpuinfo: Path = Path("/proc/cpuinfo")) -> None:
    """Must come before Paddle is imported; what the environment says already stays.

    Paddle's wheel carries MKL of 2019, which chooses its kernels by the maker's name: on a processor of AMD
    it takes its oldest ones and multiplies matrices at a fifth of the speed. This names what the processor
    can do.
    """
    best = best_kernels(cpuinfo)
    if best:
        os.environ.setdefault(_SETTING, best)


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
