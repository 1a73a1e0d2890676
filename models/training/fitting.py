"""Training loops with progress, seeds and checkpoints: an interrupted run goes on where it was."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from tqdm import tqdm

from engine.features import FeatureEncoder
from models.paddle import paddle, unique_name
from models.training.config import RankConfig, TowerConfig
from models.training.process import keep_freed_memory
from models.training.samples import RankSamples, TowerSamples

FloatArray = npt.NDArray[np.float32]
Feeds = Mapping[str, npt.NDArray[Any]]
Batches = Callable[[np.random.Generator], Iterator[paddle.Tensor]]  # yields the loss of each batch

_ENCODE_BATCH, _RANK_BATCH = 2048, 16_384
_ALL = slice(None)
_SMALLEST_BATCH, _STEPS = 64, 300  # of the ranker, in an epoch


class Checkpoints:
    """A folder of states, one file a stage; renamed when written, so a file is whole or not there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def save(
        self, stage: str, epoch: int, model: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer
    ) -> None:
        """Remember the state after this epoch in place of earlier ones of the stage."""
        self.folder.mkdir(parents=True, exist_ok=True)
        draft = self.folder / f"{stage}.tmp"
        state = {"epoch": epoch, "model": model.state_dict(), "optimizer": optimizer.state_dict()}
        paddle.save(state, str(draft))
        draft.replace(self.folder / f"{stage}.state")

    def load(self, stage: str, model: paddle.nn.Layer, optimizer: paddle.optimizer.Optimizer) -> int:
        """Restore the stage's state if there is one; returns how many epochs are done."""
        path = self.folder / f"{stage}.state"
        if not path.is_file():
            return 0
        state = paddle.load(str(path))
        model.set_state_dict(state["model"])
        optimizer.set_state_dict(state["optimizer"])
        return int(state["epoch"])


def seed_everything(seed: int) -> None:
    """Before a model is made: equal seeds give equal first weights."""
    paddle.seed(seed)


def fit(
    stage: str,
    model: Any,
    epochs: int,
    learning_rate: float,
    decay: float,
    batches: Batches,
    seed: int,
    kept: Checkpoints,
    steps: int = 0,
    over: Callable[[], bool] | None = None,
) -> list[float]:
    """Train for some epochs; returns the mean loss of each that ran now. Equal seeds give equal models.

    ``steps``: batches in an epoch; given, the rate falls in a line to a twentieth at the end of the last one,
    which is worth more than a second pass to a model that sees its data once. Else the last of several epochs
    has a lower rate. ``over``: asked before each epoch; True ends the training there.
    """
    # Named afresh in each stage, so that a checkpoint's moments are found again in any process.
    with unique_name.guard(f"{stage}_"):
        return _fit(stage, model, epochs, learning_rate, decay, batches, seed, kept, steps, over)


def _fit(
    stage: str,
    model: Any,
    epochs: int,
    learning_rate: float,
    decay: float,
    batches: Batches,
    seed: int,
    kept: Checkpoints,
    in_epoch: int,
    over: Callable[[], bool] | None,
) -> list[float]:
    keep_freed_memory()
    optimizer = paddle.optimizer.AdamW(learning_rate, parameters=model.parameters(), weight_decay=decay)
    done = kept.load(stage, model, optimizer)
    losses: list[float] = []
    for epoch in range(done, epochs):
        if over is not None and over():
            break
        # Each epoch has random numbers of its own, so a resumed run draws what an unbroken one would.
        rng = np.random.default_rng([seed, epoch])
        paddle.seed(seed * 1000 + epoch)
        optimizer.set_lr(learning_rate * (1.0 if epoch < max(epochs - 1, 1) else 0.3))
        model.train()
        total, steps = 0.0, 0
        bar = tqdm(
            batches(rng), desc=f"{stage} {epoch + 1}/{epochs}", unit="batch", disable=None, leave=False
        )
        for loss in bar:
            if in_epoch:
                done_share = min((epoch + steps / in_epoch) / epochs, 1.0)
                optimizer.set_lr(learning_rate * (1.0 - 0.95 * done_share))
            loss.backward()
            optimizer.step()
            optimizer.clear_grad(set_to_zero=False)  # zeros would be written, then added to
            total, steps = total + float(loss), steps + 1
        losses.append(total / max(steps, 1))
        kept.save(stage, epoch + 1, model, optimizer)
    model.eval()
    return losses


def tower_batches(model: Any, samples: TowerSamples, encoder: FeatureEncoder, config: TowerConfig) -> Batches:
    """Batches of the two towers: in-batch positives and uniformly drawn negatives, with the log of how many
    of each item to expect among them."""
    n_items = len(encoder.table)
    taken = samples.positives[samples.positives >= 0]
    frequency = np.bincount(taken, minlength=n_items) / max(len(taken), 1)

    def losses(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        for part in samples.batches(config.contexts_per_batch, rng):
            positives = samples.positives[part]  # [B, P]
            user, _ = np.nonzero(positives >= 0)
            own = positives[positives >= 0]
            drawn = rng.integers(0, n_items, config.random_negatives)
            items, place = np.unique(np.concatenate([own, drawn]), return_inverse=True)
            log_q = np.log(len(own) * frequency[items] + len(drawn) / n_items)
            target = np.stack([user, place[: len(own)]], axis=1)
            mask = np.zeros((len(part), len(items)), np.float32)
            mask[target[:, 0], target[:, 1]] = 1.0
            users = model.user(tensors(samples.feeds, part))
            vectors = model.item(tensors(encoder.item_tower(items)))
            yield model.loss(
                users,
                vectors,
                paddle.to_tensor(log_q.astype(np.float32)),
                paddle.to_tensor(target),
                paddle.to_tensor(mask),
            )

    return losses


def rank_batch_size(samples: RankSamples, config: RankConfig) -> int:
    """Rows in a batch: small ones where rows are few, so that steps are enough."""
    return min(config.batch_size, max(_SMALLEST_BATCH, _drawn(samples, config) // _STEPS))


def rank_steps(samples: RankSamples, config: RankConfig) -> int:
    """Batches in an epoch."""
    return -(-_drawn(samples, config) // rank_batch_size(samples, config))


def _drawn(samples: RankSamples, config: RankConfig) -> int:
    """Rows in an epoch: all that were taken, and as many of the others as are drawn."""
    taken = int((samples.label > 0).sum())
    return min(taken + round(config.negatives * max(taken, 1)), len(samples.label))


def rank_batches(model: Any, samples: RankSamples, config: RankConfig) -> Batches:
    """Shuffled batches of single rows: all that were taken, and others drawn anew for each epoch.

    Rows are not weighed to make up for those left out: lists are better without (docs/quality.md), and the
    calibration on all candidates puts the probabilities right.
    """
    size = rank_batch_size(samples, config)
    taken, others = np.flatnonzero(samples.label > 0), np.flatnonzero(samples.label <= 0)
    count = _drawn(samples, config) - len(taken)

    def losses(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        order = rng.permutation(np.concatenate([taken, rng.choice(others, count, replace=False)]))
        for start in range(0, len(order), size):
            part = np.sort(order[start : start + size])
            yield model.loss(tensors(samples.feeds, part), paddle.to_tensor(samples.label[part]))

    return losses


def tensors(feeds: Feeds, rows: npt.NDArray[np.int64] | slice = _ALL) -> dict[str, paddle.Tensor]:
    """Some rows of the feeds as a network takes them; codes that are kept as int32 become int64."""
    part = {name: values[rows] for name, values in feeds.items()}
    return {
        name: paddle.to_tensor(values.astype(np.int64) if values.dtype == np.int32 else values)
        for name, values in part.items()
    }


def encode(layer: Any, feeds: Feeds, batch: int = _ENCODE_BATCH) -> FloatArray:
    """The network's output for arrays of equal length, at least one row, in batches."""
    layer.eval()
    rows = len(next(iter(feeds.values())))
    with paddle.no_grad():
        parts = [
            layer(tensors(feeds, slice(start, start + batch))).numpy() for start in range(0, rows, batch)
        ]
    return np.concatenate(parts).astype(np.float32, copy=False)


def rank_logits(model: Any, samples: RankSamples) -> FloatArray:
    """The ranker's logit of every row."""
    return encode(model, samples.feeds, _RANK_BATCH)
