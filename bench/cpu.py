"""Processor time of groups of processes, with all that they started, from /proc."""

from __future__ import annotations

import os
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_TICK = os.sysconf("SC_CLK_TCK")


@contextmanager
def used(groups: Mapping[str, Sequence[int]]) -> Iterator[dict[str, float]]:
    """Cores each group uses on average within the block; the dictionary is filled at its end."""
    cores: dict[str, float] = {}
    began, before = time.monotonic(), seconds(groups)
    yield cores
    took, after = time.monotonic() - began, seconds(groups)
    cores.update({name: (after[name] - before[name]) / took for name in groups})


def seconds(groups: Mapping[str, Sequence[int]]) -> dict[str, float]:
    """Seconds of processor time by group so far."""
    times: dict[int, float] = {}
    children: dict[int, list[int]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                # The name in parentheses may hold anything; what follows it is fields in order.
                fields = (entry / "stat").read_text("utf-8", "replace").rpartition(")")[2].split()
            except OSError:
                continue  # ended while we looked
            times[int(entry.name)] = (int(fields[11]) + int(fields[12])) / _TICK
            children[int(fields[1])].append(int(entry.name))
    found = {}
    for name, pids in groups.items():
        waiting, total = list(pids), 0.0
        while waiting:
            pid = waiting.pop()
            total += times.get(pid, 0.0)
            waiting += children[pid]
        found[name] = total
    return found
