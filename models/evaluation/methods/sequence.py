"""The sequence user tower: a causal transformer over a user's items, read by inner product.

Papers: Kang & McAuley, "Self-Attentive Sequential Recommendation", ICDM 2018 (SASRec); Klenitskiy & Vasilev,
"Turning Dross Into Gold Loss", RecSys 2023 (full cross-entropy at every position); Zhai et al., "Actions
Speak Louder than Words", ICML 2024 (HSTU: a learned bias by distance).

    score(u, i) = <user(u), item(i)>,   item(i) = id(i) + content(i)
    loss = -log softmax_j( score(u at t, j) ) at the item at t + 1, over every item j and position t

Legend: B users, L positions, N items, D embedding dim, H heads, T tokens (positions that hold an item).
Item 0 is padding; rows of the catalogue count from 1.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from models.evaluation.methods.sequence_ops import (
    NEVER,
    SHORT,
    FastAttention,
    FastLinear,
    FullSoftmax,
    ShortAttention,
)
from models.paddle import F, nn, paddle

Tensor = paddle.Tensor


@dataclass(frozen=True)
class SequenceConfig:
    """Every number of the tower and of its training."""

    width: int = 64
    blocks: int = 2
    heads: int = 2
    inner: int = 256  # hidden units of a block's feed-forward part
    length: int = 200  # most recent items that are read
    dropout: float = 0.1
    epochs: int = 24
    batch_tokens: int = 8192  # positions in a batch
    learning_rate: float = 2e-3  # falls in a line to a twentieth
    refit_epochs: int = 3  # more, with events that were kept for validation
    refit_rate: float = 3e-4
    patience: int = 0  # epochs without a better validation N@10 that end it; 0: all epochs, the last weights
    negatives: int = 0  # items drawn for each batch's loss beside those taken in it; 0: every item
    item_rate: float = 1.0  # share of the learning rate that the item vectors have
    warm: bool = False  # item vectors begin at the factors of what is taken together, else at random


class SequenceTower(nn.Layer):
    """Users by what they took, oldest first; items by id and content."""

    def __init__(
        self, n_items: int, config: SequenceConfig, content: npt.NDArray[np.float32] | None = None
    ) -> None:
        """``content`` float32 [N, C]: fields of each item, one- or many-hot; none: ids only."""
        super().__init__()
        width = config.width
        own = _small(config.item_rate)
        self.ids = nn.Embedding(n_items + 1, width, padding_idx=0, weight_attr=own)
        self.fields: nn.Layer | None = None
        if content is not None:
            self.register_buffer("content", paddle.to_tensor(np.pad(content, ((1, 0), (0, 0)))))
            self.fields = nn.Linear(content.shape[1], width, weight_attr=_small(), bias_attr=False)
        self.places = nn.Embedding(config.length + 1, width, weight_attr=_small())
        self.blocks = nn.LayerList([_Block(config) for _ in range(config.blocks)])
        self.norm = nn.LayerNorm(width)
        self.dropout = nn.Dropout(config.dropout)
        self.length, self.width = config.length, width

    def items(self) -> Tensor:
        """float32 [N + 1, D]; line 0, of padding, is no item's."""
        table: Tensor = self.ids.weight
        return table if self.fields is None else table + self.fields(self.content)

    def states(self, sequence: Tensor, table: Tensor) -> Tensor:
        """int64 [B, L], zeros after the newest item, and ``items()`` -> float32 [B, L, D].

        Padding is behind what counts and attention looks back only, so it needs no mask of its own.
        """
        x = self.dropout(F.embedding(sequence, table) + self.places(self._places(sequence)))
        for block in self.blocks:
            x = block(x)
        states: Tensor = self.norm(x)
        return states

    def _places(self, sequence: Tensor) -> Tensor:
        """Places from the history's beginning, int64 [B, L]; in a full window, which may have a past,
        ``length`` throughout."""
        count = sequence.shape[1]
        known = (sequence > 0).astype("int64").sum(axis=1, keepdim=True)  # [B, 1]
        full = (known >= self.length).astype("int64")
        places: Tensor = paddle.arange(count) * (1 - full) + self.length * full
        return places

    def forward(self, sequence_items: Tensor) -> Tensor:
        """int64 [B, L], oldest first, zeros after the newest -> float32 [B, D], the user after the newest."""
        x = self.states(sequence_items, self.items())
        last = F.one_hot((sequence_items > 0).astype("int64").sum(axis=1) - 1, sequence_items.shape[1])
        return (last.unsqueeze(1) @ x).squeeze(1)

    def loss(self, sequence: Tensor, tokens: Tensor, targets: Tensor) -> Tensor:
        """Mean cross-entropy over all items; ``tokens`` int64 [T] are places of the flattened sequence [B·L],
        ``targets`` int64 [T] the item that came next at each."""
        table = self.items()
        states = paddle.gather(self.states(sequence, table).flatten(0, 1), tokens)
        loss: Tensor = _apply(FullSoftmax, states, table[1:], targets - 1)
        return loss

    def sampled_loss(
        self, sequence: Tensor, tokens: Tensor, places: Tensor, items: Tensor, log_q: Tensor
    ) -> Tensor:
        """``loss`` over some items only, int64 [M]; ``places`` int64 [T] the target's among them, ``log_q``
        float32 [M] the log of how likely each is among them: it is subtracted from the scores (Bengio &
        Senécal, 2008)."""
        table = self.items()
        states = paddle.gather(self.states(sequence, table).flatten(0, 1), tokens)
        # The correction as one more factor: the loss needs no other form.
        wide = paddle.concat([states, paddle.ones_like(states[:, :1])], axis=1)
        some = paddle.concat([paddle.gather(table, items), -log_q.unsqueeze(1)], axis=1)
        loss: Tensor = _apply(FullSoftmax, wide, some, places)
        return loss


class ServedTower(nn.Layer):
    """One or several towers side by side as one: what a release and an index of unit vectors serve.

    The users' vectors are concatenated, so are the items' (``served_items``): the inner product is the sum of
    the towers' scores.
    """

    def __init__(self, towers: Sequence[SequenceTower]) -> None:
        super().__init__()
        self.towers = nn.LayerList(list(towers))

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """``sequence_items`` int64 [B, L], oldest first, zeros after the newest -> float32 [B, M · D + 1],
        each of length 1."""
        joined = paddle.concat([tower(feeds["sequence_items"]) for tower in self.towers], axis=-1)
        unit = F.normalize(joined, axis=-1)
        return paddle.concat([unit, paddle.zeros_like(unit[:, :1])], axis=-1)


def served_items(towers: Sequence[SequenceTower]) -> npt.NDArray[np.float32]:
    """float32 [N, M · D + 1], each of length 1: scaled by the longest; the last entry, 0 in users, fills up.
    So a cosine orders items as the towers' inner product does (Bachrach et al., RecSys 2014)."""
    with paddle.no_grad():
        parts = [tower.items()[1:].numpy() for tower in towers]
    joined = np.concatenate(parts, axis=1).astype(np.float64)
    joined /= np.sqrt((joined**2).sum(axis=1)).max()
    rest = np.sqrt(np.maximum(1.0 - (joined**2).sum(axis=1, keepdims=True), 0.0))
    return np.concatenate([joined, rest], axis=1).astype(np.float32)


class _Block(nn.Layer):
    """Attention and a feed-forward part, each normalised first and added to what came in."""

    def __init__(self, config: SequenceConfig) -> None:
        super().__init__()
        width, self.heads = config.width, config.heads
        self.norm, self.norm_inner = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, weight_attr=_xavier())
        self.out = nn.Linear(width, width, weight_attr=_xavier())
        self.wide = nn.Linear(width, config.inner, weight_attr=_xavier())
        self.narrow = nn.Linear(config.inner, width, weight_attr=_xavier())
        self.dropout = nn.Dropout(config.dropout)
        # By distance, 0 … L - 1; the last entry is that of what lies ahead, never seen.
        zero = paddle.ParamAttr(initializer=nn.initializer.Constant(0.0))
        self.distance = self.create_parameter([config.length, config.heads], attr=zero)
        places = np.arange(config.length)
        behind = places[:, None] - places[None, :]  # [L, L]
        self.register_buffer("behind", paddle.to_tensor(np.maximum(behind, 0)), persistable=False)
        ahead = np.where(behind < 0, NEVER, np.float32(0.0))
        self.register_buffer("ahead", paddle.to_tensor(ahead), persistable=False)

    def forward(self, x: Tensor) -> Tensor:
        """float32 [B, L, D] -> the same."""
        linear = _fast_linear if self.training else _linear
        mixed = self._attend(linear(self.norm(x), self.qkv))
        x = x + self.dropout(linear(mixed, self.out))
        inner = F.relu(linear(self.norm_inner(x), self.wide))
        y: Tensor = x + self.dropout(linear(inner, self.narrow))
        return y

    def _attend(self, qkv: Tensor) -> Tensor:
        if self.training:
            attention = ShortAttention if self.distance.shape[0] <= SHORT else FastAttention
            return _apply(attention, qkv, self.distance)
        length, size = qkv.shape[1], qkv.shape[2] // 3 // self.heads
        parts = qkv.reshape([0, length, 3, self.heads, size]).transpose([2, 0, 3, 1, 4])
        near = self.distance[self.behind[:length, :length].flatten()]  # [L·L, H]
        bias = near.reshape([length, length, self.heads]).transpose([2, 0, 1]) + self.ahead[:length, :length]
        scores = (parts[0] * size**-0.5) @ parts[1].transpose([0, 1, 3, 2]) + bias  # [B, H, L, L]
        mixed = F.softmax(scores, axis=-1) @ parts[2]  # [B, H, L, D / H]
        joined: Tensor = mixed.transpose([0, 2, 1, 3]).flatten(2)
        return joined


def _linear(x: Tensor, layer: Any) -> Tensor:
    y: Tensor = layer(x)
    return y


def _fast_linear(x: Tensor, layer: Any) -> Tensor:
    return _apply(FastLinear, x, layer.weight, layer.bias)


def _apply(operation: Any, *tensors: Tensor) -> Tensor:
    y: Tensor = operation.apply(*tensors)
    return y


def _small(rate: float = 1.0) -> paddle.ParamAttr:
    return paddle.ParamAttr(initializer=nn.initializer.Normal(std=0.02), learning_rate=rate)


def _xavier() -> paddle.ParamAttr:
    return paddle.ParamAttr(initializer=nn.initializer.XavierNormal())
