"""One training to be timed, as told to a process of its own, and what it reports. Needs nothing but NumPy."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

Arrays = dict[str, npt.NDArray[Any]]

# Of each model: the arrays in the job's folder, NAME.npy. The first ones of DSSM are the user tower's feeds.
USER_FEEDS = ["user_sparse", "user_dense", "sequence_items", "sequence_categories", "sequence_weights"]
ARRAYS = {"dssm": [*USER_FEEDS, "positives", "items"], "deepfm": ["sparse", "dense", "label"]}


@dataclass(frozen=True)
class Job:
    """A model, the batches and how to train. ``folder`` holds the arrays and the first weights, MODEL.npz."""

    model: str  # dssm | deepfm
    folder: str
    threads: int
    steps: int
    warm_up: int  # steps before the clock starts
    seed: int
    batch: int
    learning_rate: float
    weight_decay: float
    in_epoch: int  # batches, over which the rate falls to a twentieth, 0 = it stays
    embedding_dim: int
    hidden: list[int]
    dropout: float  # of ids in DSSM, of hidden units in DeepFM
    dense: int  # dense features
    buckets: dict[str, list[int]]
    feeds: list[str]
    negatives: int  # rows drawn that were not taken: in each batch of DSSM, in the epoch of DeepFM
    temperature: float = 1.0  # DSSM's
    intervals: int = 0  # DeepFM's, of each number
    members: int = 0  # DeepFM's networks

    def arrays(self) -> Arrays:
        """The model's arrays, in memory."""
        return {name: np.load(Path(self.folder) / f"{name}.npy") for name in ARRAYS[self.model]}

    def rate(self, step: int) -> float:
        """The learning rate of a step, as models/training/fitting.py sets it in a single epoch."""
        share = min(step / self.in_epoch, 1.0) if self.in_epoch else 0.0
        return self.learning_rate * (1.0 - 0.95 * share)


class Result(NamedTuple):
    """What a process found."""

    parameters: int
    first_loss: float  # of the first batch at the first weights, nothing dropped
    mean_loss: float  # over all steps
    seconds: float  # of one step, without the warm-up
    cpu_seconds: float  # the same of processor time, all threads
    peak_mib: float  # most resident memory


class Stopwatch:
    """Times steps; ``step`` is called once in each, always at the same place."""

    def __init__(self, warm_up: int) -> None:
        self._left = warm_up
        self._steps = -1
        self._began = self._last = (0.0, 0.0)

    def step(self) -> None:
        """Remember the time."""
        if self._left > 0:
            self._left -= 1
            return
        self._last = (time.perf_counter(), time.process_time())
        if self._steps < 0:
            self._began = self._last
        self._steps += 1

    def seconds(self) -> tuple[float, float]:
        """Mean seconds from step to step after the warm-up: by the clock, and of processor time."""
        wall, cpu = (end - begin for begin, end in zip(self._began, self._last, strict=True))
        return wall / self._steps, cpu / self._steps


def peak_mib() -> float:
    """Most resident memory of this process so far, MiB; ``getrusage`` would count its parent's, too."""
    status = Path("/proc/self/status").read_text("utf-8")
    line = next(line for line in status.splitlines() if line.startswith("VmHWM:"))
    return int(line.split()[1]) / 1024
