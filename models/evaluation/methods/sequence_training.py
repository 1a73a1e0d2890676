"""Training the sequence tower: windows of long histories, batches of equal work.

Legend: U users, L positions of a window, B windows of a batch, D embedding dim, N items.
"""

from __future__ import annotations

import itertools
import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.methods.sequence import SequenceConfig, SequenceTower
from models.evaluation.sequences import matrix
from models.paddle import paddle, unique_name
from models.training.fitting import Checkpoints, fit, seed_everything
from models.training.process import keep_freed_memory

IntArray = npt.NDArray[np.int64]
FloatArray = npt.NDArray[np.float32]
Check = Callable[[SequenceTower], dict[str, float]]  # measures on validation users

_ROUNDS = 4  # of the power iteration that finds the first item vectors
_SPREAD = 0.1  # their standard deviation
_NOISE = 8  # items by which lengths are blurred before windows are put side by side


@dataclass(frozen=True)
class Windows:
    """Pieces of histories: ``items`` of window w are ``flat[begin[w] : end[w]]``, and each but the last
    predicts the next. A window of ``length`` items may have a past; a shorter one begins the history."""

    flat: IntArray
    begin: IntArray
    end: IntArray

    @property
    def sizes(self) -> IntArray:
        """Positions to learn at, [W]."""
        return self.end - self.begin - 1


def cut_windows(histories: Sequence[IntArray], length: int, rng: np.random.Generator) -> Windows:
    """Every history cut from its end into full windows and a rest; of every other long one some of the newest
    items are left out this time, so that the cuts fall elsewhere."""
    begins, ends, base = [], [], 0
    for history in histories:
        end = base + len(history)
        if len(history) > length + 1 and rng.random() < 0.5:
            end -= int(rng.integers(0, length))
        while end - base >= 2:
            begin = max(base, end - length - 1)
            begins.append(begin)
            ends.append(end)
            end = begin + 1  # the item that a window begins with is the target of the one before
        base += len(history)
    flat = np.concatenate(histories)
    return Windows(flat, np.array(begins, np.int64), np.array(ends, np.int64))


def window_batches(
    windows: Windows, tokens: int, rng: np.random.Generator
) -> Iterator[tuple[IntArray, IntArray, IntArray]]:
    """Shuffled batches of windows of similar length with about ``tokens`` positions: the items int64 [B, L],
    the places that hold one in [B·L], and the next item at each."""
    sizes = windows.sizes
    order = np.argsort(sizes + rng.integers(0, _NOISE, len(sizes)), kind="stable")
    groups, begin = [], 0
    while begin < len(order):
        # No window of the group is longer than its last by more than the noise.
        widest = np.maximum.accumulate(sizes[order[begin : begin + tokens]])
        count = max(int(np.searchsorted(widest * np.arange(1, len(widest) + 1), tokens, side="right")), 1)
        groups.append(order[begin : begin + count])
        begin += count
    for group in rng.permutation(len(groups)):
        yield _pad(windows, groups[group])


def _pad(windows: Windows, chosen: IntArray) -> tuple[IntArray, IntArray, IntArray]:
    sizes = windows.sizes[chosen]
    place = np.arange(sizes.max())
    real = place[None, :] < sizes[:, None]  # [B, L]
    at = np.where(real, windows.begin[chosen][:, None] + place, 0)
    items = np.where(real, windows.flat[at], 0)
    return items, np.flatnonzero(real), windows.flat[at[real] + 1]


def train_tower(
    histories: Sequence[IntArray],
    n_items: int,
    config: SequenceConfig,
    content: FloatArray | None,
    seed: int,
    folder: Path,
    check: Check | None = None,
    every: int = 4,
    begin: SequenceTower | None = None,
) -> SequenceTower:
    """The tower after ``config.epochs`` of the histories (items 1 … N, oldest first); with
    ``config.patience`` and a ``check`` that of the epoch with the best ``ndcg_at_10`` of it.

    ``folder`` keeps the state after each epoch: an interrupted training goes on from there, a finished one is
    only read. ``check`` runs each ``every`` epochs, with patience after each; its findings go to
    ``folder/progress.jsonl``. ``begin``: a tower whose weights are the first ones.
    """
    keep_freed_memory()
    seed_everything(seed)
    # Named by seed: several towers of one process are saved as one network, by these names.
    with unique_name.guard(f"sequence_{seed}_"):
        tower = SequenceTower(n_items, config, content)
    if begin is not None:
        tower.set_state_dict(begin.state_dict())
    elif config.warm:
        tower.ids.weight.set_value(item_factors(histories, n_items, config.width, seed))
    stage = f"sequence-{seed}"
    done = _epochs_done(folder / f"{stage}.state")
    numbers = itertools.count(done + 1)
    best = BestWeights(folder, stage, config.patience, done) if config.patience and check else None

    drawing = Negatives.of(histories, n_items, config.negatives) if config.negatives else None

    def batches(rng: np.random.Generator) -> Iterator[paddle.Tensor]:
        began, epoch = time.monotonic(), next(numbers)
        windows = cut_windows(histories, config.length, rng)
        for items, places, targets in window_batches(windows, config.batch_tokens, rng):
            if drawing is None:
                yield tower.loss(*(paddle.to_tensor(array) for array in (items, places, targets)))
                continue
            arrays = (items, places, *drawing.draw(targets, rng))
            yield tower.sampled_loss(*(paddle.to_tensor(array) for array in arrays))
        found: dict[str, float] = {"epoch": epoch, "seconds": round(time.monotonic() - began, 1)}
        if check is not None and (best is not None or epoch % every == 0):
            found |= check(tower)
            tower.train()
            if best is not None:
                best.add(epoch, found["ndcg_at_10"], tower)
        folder.mkdir(parents=True, exist_ok=True)
        with (folder / "progress.jsonl").open("a", encoding="utf-8") as file:
            file.write(json.dumps(found) + "\n")

    rate, steps = config.learning_rate, _steps(histories, config)
    over = None if best is None else lambda: best.over
    fit(stage, tower, config.epochs, rate, 0.0, batches, seed, Checkpoints(folder), steps=steps, over=over)
    if best is not None:
        best.restore(tower)
    return tower


@dataclass(frozen=True)
class Negatives:
    """Items for a batch's loss: those taken in it, and as many as ``count`` drawn evenly from all."""

    share: npt.NDArray[np.float64]  # [N + 1], of the targets
    count: int

    @classmethod
    def of(cls, histories: Sequence[IntArray], n_items: int, count: int) -> Negatives:
        """The shares as the histories have them, first items left out: nothing predicts those."""
        taken = np.bincount(np.concatenate([history[1:] for history in histories]), minlength=n_items + 1)
        return cls(taken / max(int(taken.sum()), 1), count)

    def draw(self, targets: IntArray, rng: np.random.Generator) -> tuple[IntArray, IntArray, FloatArray]:
        """The targets' places among the items, [T], the items, [M], and the log of how likely each was."""
        drawn = rng.integers(1, len(self.share), self.count)
        items, places = np.unique(np.concatenate([targets, drawn]), return_inverse=True)
        never_drawn = self.count * np.log1p(-1 / (len(self.share) - 1))
        missed = len(targets) * np.log1p(-self.share[items]) + never_drawn
        log_q = np.log(-np.expm1(missed))
        return places[: len(targets)].astype(np.int64), items, log_q.astype(np.float32)


class BestWeights:
    """The weights of the epoch whose validation was best, kept in ``folder/<stage>.best``."""

    def __init__(self, folder: Path, stage: str, patience: int, done: int) -> None:
        """``done``: epochs that need not be trained again; what was found after them is found again."""
        self._file, self._patience = folder / f"{stage}.best", patience
        self.epoch, self.value, self._last = 0, -np.inf, done
        if done and self._file.is_file():
            kept = paddle.load(str(self._file))
            self.epoch, self.value = int(kept["epoch"]), float(kept["value"])

    @property
    def over(self) -> bool:
        """As many epochs as the patience have brought nothing better."""
        return self._last - self.epoch >= self._patience

    def add(self, epoch: int, value: float, tower: SequenceTower) -> None:
        """Keep the weights if none before had this value or a better one."""
        self._last = epoch
        if value > self.value or epoch <= self.epoch:  # an epoch trained again replaces its own weights
            self.epoch, self.value = epoch, value
            self._file.parent.mkdir(parents=True, exist_ok=True)
            draft = self._file.with_suffix(".tmp-best")
            state: dict[str, Any] = {"epoch": epoch, "value": value, "model": tower.state_dict()}
            paddle.save(state, str(draft))
            draft.replace(self._file)

    def restore(self, tower: SequenceTower) -> None:
        """Give the tower the best weights."""
        tower.set_state_dict(paddle.load(str(self._file))["model"])
        tower.eval()


def _epochs_done(state: Path) -> int:
    return int(paddle.load(str(state))["epoch"]) if state.is_file() else 0


def _steps(histories: Sequence[IntArray], config: SequenceConfig) -> int:
    windows = cut_windows(histories, config.length, np.random.default_rng(0))
    return sum(1 for _ in window_batches(windows, config.batch_tokens, np.random.default_rng(0)))


def encode_users(tower: SequenceTower, histories: Sequence[IntArray]) -> FloatArray:
    """The vector of each user after the newest item: [U, D]. Every history holds an item."""
    tower.eval()
    out = np.empty((len(histories), tower.width), np.float32)
    with paddle.no_grad():
        for chosen, items in newest(histories, tower.length):
            out[chosen] = tower(paddle.to_tensor(items)).numpy()
    return out


def newest(
    histories: Sequence[IntArray], length: int, batch: int = 64, full: bool = False
) -> Iterator[tuple[IntArray, IntArray]]:
    """Users by length of history, int64 [B], and the tower's feed, int64 [B, L]: newest items, then zeros;
    L is ``length`` if ``full``, as serving's, else that of the batch's longest."""
    sizes = np.array([min(len(history), length) for history in histories])
    order = np.argsort(sizes, kind="stable")
    for begin in range(0, len(order), batch):
        chosen = order[begin : begin + batch]
        items = np.zeros((len(chosen), length if full else int(sizes[chosen].max())), np.int64)
        for line, user in enumerate(chosen.tolist()):
            items[line, : sizes[user]] = histories[user][-length:]
        yield chosen, items


def item_factors(
    histories: Sequence[npt.NDArray[np.int64]], n_items: int, width: int, seed: int
) -> npt.NDArray[np.float32]:
    """First item vectors for sparse data, the factors of what is taken together: float32 [N + 1, D] from
    histories of items 1 … N; line 0 is zero. Equal seeds give equal vectors.

    From random vectors a tower learns for many epochs nothing but popularity, where each item occurs a few
    times only. The right singular vectors of the user-item matrix, each entry over the roots of its row's and
    column's sums, are near where its items end up: items with the same takers lie together.
    """
    taken = matrix([history - 1 for history in histories], n_items)
    users = np.sqrt(np.maximum(np.asarray(taken.sum(axis=1)).ravel(), 1.0))
    items = np.sqrt(np.maximum(np.asarray(taken.sum(axis=0)).ravel(), 1.0))
    scaled = taken.multiply(1.0 / users[:, None]).multiply(1.0 / items[None, :]).tocsr()
    rng = np.random.default_rng(seed)
    wide = min(2 * width, n_items)  # more than is kept: the iteration then finds the kept ones soon
    basis = rng.standard_normal((n_items, wide))
    for _ in range(_ROUNDS):
        basis = np.linalg.qr(scaled.T @ (scaled @ basis))[0]
    _, values, turned = np.linalg.svd(scaled @ basis, full_matrices=False)
    found = np.zeros((n_items + 1, width), np.float32)
    kept = min(width, wide)
    found[1:, :kept] = (basis @ turned.T)[:, :kept] * np.sqrt(values[:kept])
    return np.asarray(found * (_SPREAD / max(float(found[1:].std()), 1e-9)), np.float32)
