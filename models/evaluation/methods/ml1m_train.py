"""Training the rankers of ``ml1m-rank`` in Paddle: shuffled batches, a falling rate, a checkpoint an epoch.

Legend: R rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import numpy as np
import numpy.typing as npt

from engine.features.feeds import CODES, CROSSES
from models.evaluation.methods.ml1m_features import GENRES, Rows
from models.paddle import paddle
from models.rankers.history_deepfm import HistoryDeepFm, HistoryDeepFmSettings
from models.training.fitting import Checkpoints, encode, fit, seed_everything, tensors

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

TASKS = 3  # more than 3 stars, more than 1, more than 4
_SCORED_AT_ONCE = 16384


@dataclass(frozen=True)
class Recipe:
    """How a ranker is trained; chosen on the validation part."""

    epochs: int
    batch: int
    rate: float
    decay: float
    network: HistoryDeepFmSettings


PLAIN = Recipe(
    epochs=6,
    batch=2048,
    rate=2e-3,
    decay=1e-2,
    network=HistoryDeepFmSettings(hidden=(256, 128), places=0, tasks=TASKS),
)
HISTORY = Recipe(epochs=3, batch=2048, rate=2e-3, decay=1e-2, network=HistoryDeepFmSettings(tasks=TASKS))


def train(
    rows: Rows, buckets: tuple[int, ...], recipe: Recipe, seed: int, folder: Path
) -> Callable[[Rows], FloatArray]:
    """Train on ``rows``; returns what gives the probability of more than 3 stars of any rows, [R].

    ``folder`` keeps the state after each epoch: the same call goes on from there.
    """
    seed_everything(seed)
    model = HistoryDeepFm(rows.declared, buckets, 0, recipe.network, GENRES)
    model.fit_statistics(rows.feeds)
    targets = np.stack([rows.stars > line for line in (3, 1, 4)], axis=1).astype(np.float32)

    def losses(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        order = rng.permutation(len(rows.stars))
        for begin in range(0, len(order), recipe.batch):
            part = order[begin : begin + recipe.batch]
            yield model.loss(tensors(rows.feeds, part), paddle.to_tensor(targets[part]))

    steps = -(-len(rows.stars) // recipe.batch)
    fit(
        f"ranker-{seed}",
        model,
        recipe.epochs,
        recipe.rate,
        recipe.decay,
        losses,
        seed,
        Checkpoints(folder / _digest(rows, recipe)),
        steps,
    )
    return lambda asked: _probabilities(encode(model, asked.feeds, _SCORED_AT_ONCE))


def _digest(rows: Rows, recipe: Recipe) -> str:
    """Of what a training is made of, so that no checkpoint of another is taken for this one's."""
    parts = [rows.stars.tobytes(), rows.feeds[CODES].tobytes(), rows.feeds[CROSSES].tobytes()]
    return sha256(b"".join([*parts, repr(recipe).encode()])).hexdigest()[:12]


def _probabilities(logits: FloatArray) -> FloatArray:
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
