"""Trains DSSM or DeepFM by the product's own loop, in a process of its own: see bench/training_speed.py.

The job, a JSON object as the one argument, is described in ``bench/training_job.py``. Prints one JSON object.
"""

from __future__ import annotations

import json
import sys
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.training_job import Arrays, Job, Result, Stopwatch, peak_mib
from bench.training_samples import CONFIG, read_items
from engine.features import FeatureEncoder
from engine.features.feeds import CODES, CROSSES
from models.paddle import paddle
from models.registry import make_ranker, make_tower
from models.training.fitting import Batches, Checkpoints, fit, rank_batches, tower_batches
from models.training.samples import RankSamples, TowerSamples


def make(job: Job, arrays: Arrays) -> tuple[Any, Batches]:
    """The model with its first weights, and its batches."""
    folder = Path(job.folder)
    items = read_items(folder)
    model: Any
    if job.model == "dssm":
        model = make_tower(items.schema, CONFIG.tower)
        contexts = TowerSamples({name: arrays[name] for name in job.feeds}, arrays["positives"])
        batches = tower_batches(model, contexts, FeatureEncoder(items.schema, items), CONFIG.tower)
    else:
        model = make_ranker(items.schema, CONFIG.rank)
        nothing = np.zeros(0, np.int64)
        sparse, dense, label = (arrays[name] for name in ("sparse", "dense", "label"))
        feeds = {CODES: sparse, CROSSES: dense}
        rows = RankSamples(feeds, label, np.zeros(0, np.int32), nothing, nothing, nothing)
        batches = rank_batches(model, rows, CONFIG.rank)
    with np.load(folder / f"{job.model}.npz") as file:
        model.set_state_dict({name: file[name] for name in file})
    return model, batches


def run(job: Job) -> Result:
    """Train some steps as the job says."""
    model, batches = make(job, job.arrays())
    model.eval()
    with paddle.no_grad():
        first = float(next(iter(batches(np.random.default_rng([job.seed, 0])))))
    watch = Stopwatch(job.warm_up)

    def some(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        for loss in islice(batches(rng), job.steps):
            watch.step()
            yield loss

    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoints(Path(folder))
        rate, decay = job.learning_rate, job.weight_decay
        (mean,) = fit("bench", model, 1, rate, decay, some, job.seed, kept, steps=job.in_epoch)
    count = sum(int(np.prod(part.shape)) for part in model.parameters())
    return Result(count, first, mean, *watch.seconds(), peak_mib())


if __name__ == "__main__":
    print(json.dumps(run(Job(**json.loads(sys.argv[1])))._asdict()))
