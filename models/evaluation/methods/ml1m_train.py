"""Training the rankers of ``ml1m-rank`` in Paddle: shuffled batches, a falling rate, a checkpoint an epoch.

Legend: R rows, B rows of a batch.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.methods.history_deepfm import HistoryDeepFm, HistoryShape
from models.evaluation.methods.ml1m_features import Rows
from models.paddle import paddle
from models.training.fitting import Checkpoints, fit, seed_everything

FloatArray = npt.NDArray[np.float32]
IntArray = npt.NDArray[np.int64]

_SCORED_AT_ONCE = 16384


@dataclass(frozen=True)
class Recipe:
    """How a ranker is trained; chosen on the validation part."""

    epochs: int
    batch: int
    rate: float
    decay: float
    dim: int = 16
    hidden: tuple[int, ...] = (256, 128)
    dropout: float = 0.2
    field_dropout: float = 0.0
    auxiliary: float = 0.3


PLAIN = Recipe(epochs=6, batch=2048, rate=2e-3, decay=1e-2)
HISTORY = Recipe(epochs=3, batch=2048, rate=2e-3, decay=1e-2, hidden=(128, 64))


def train(
    rows: Rows, buckets: tuple[int, ...], recipe: Recipe, seed: int, folder: Path
) -> Callable[[Rows], FloatArray]:
    """Train on ``rows``; returns what gives the probability of more than 3 stars of any rows, [R].

    ``folder`` keeps the state after each epoch: the same call goes on from there.
    """
    seed_everything(seed)
    shape = HistoryShape(
        buckets,
        rows.genres.shape[1],
        rows.dense.shape[1],
        rows.history is not None,
        recipe.dim,
        recipe.hidden,
        recipe.dropout,
        recipe.field_dropout,
    )
    model = HistoryDeepFm(shape)
    model.see(rows.dense)
    targets = np.stack([rows.stars > line for line in (3, 1, 4)], axis=1).astype(np.float32)

    def losses(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        order = rng.permutation(len(rows.stars))
        for begin in range(0, len(order), recipe.batch):
            part = order[begin : begin + recipe.batch]
            logits = model(*feeds(rows, part))
            yield model.loss(logits, paddle.to_tensor(targets[part]), recipe.auxiliary)

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
    return lambda asked: _probabilities(model, asked)


def _digest(rows: Rows, recipe: Recipe) -> str:
    """Of what a training is made of, so that no checkpoint of another is taken for this one's."""
    parts = [rows.stars.tobytes(), rows.codes.tobytes(), rows.dense.tobytes(), repr(recipe).encode()]
    return sha256(b"".join(parts)).hexdigest()[:12]


def feeds(rows: Rows, part: IntArray | slice) -> list[paddle.Tensor]:
    """The model's arguments for some rows."""
    arrays: list[npt.NDArray[Any]] = [rows.codes[part], rows.genres[part], rows.dense[part]]
    if rows.history is not None:
        history = rows.history
        arrays += [history.neighbours[part].astype(np.int64), history.weights[part], history.residuals[part]]
    return [paddle.to_tensor(array) for array in arrays]


def _probabilities(model: HistoryDeepFm, rows: Rows) -> FloatArray:
    model.eval()
    parts = []
    with paddle.no_grad():
        for begin in range(0, len(rows.stars), _SCORED_AT_ONCE):
            part = slice(begin, begin + _SCORED_AT_ONCE)
            parts.append(model(*feeds(rows, part)).numpy()[:, 0])
    logits = np.concatenate(parts)
    return np.asarray(1.0 / (1.0 + np.exp(-logits)), np.float32)
