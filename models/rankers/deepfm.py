"""DeepFM: ranks candidates by the probability that the user takes them.

Papers: Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017;
Gorishniy et al., "On Embeddings for Numerical Features in Tabular Deep Learning", NeurIPS 2022 (piecewise
linear encoding); Gorishniy et al., "TabM", ICLR 2025 (members that share their inputs).

    logit_m = w₀ + Σ_f w[x_f] + Σ_j <w_j, p(d_j)>                       first order
            + ½ Σ_dim ( (Σ_f v[x_f])² - Σ_f v[x_f]² )                   pairs of sparse fields
            + MLP_m( v[x_1], …, v[x_F], E_1 p(d_1), …, E_X p(d_X), d )  deep, of member m
    probability = sigmoid( a · logit + b ), logit: the members' mean    a, b: calibration after training

``p`` cuts a number into T intervals, each about as often met in training: the ones below it are 1, the one it
lies in is the share of the way through. Numbers have no part in the pairs: with them there, quality fell
(docs/quality.md).

Legend: B rows, F sparse fields, X dense features, T intervals, D embedding dim, M members.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, codes_and_crosses, cross_names, rank_slots
from engine.features.feeds import CODES, CROSSES
from engine.folded import FoldedRanker, fold_piecewise
from models.layers import Dropout, FieldEmbedding, normal
from models.paddle import F, nn, paddle

Tensor = paddle.Tensor
FloatArray = npt.NDArray[np.float32]

_LEAST_SPREAD = 1e-2  # a number that hardly varies does not shout
_ROWS = 400_000  # that quantiles are taken of


@dataclass(frozen=True)
class DeepFmSettings:
    """The network's size and shape."""

    embedding_dim: int = 8
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.1
    intervals: int = 16  # that each number is cut into
    members: int = 1  # networks over the same inputs; the logit is their mean
    item_ids: bool = False  # whether items have an embedding of their own: it remembers what sold last month


class DeepFm(nn.Layer):
    """The ranker; feeds ``rank_sparse`` int64 [B, F] and ``rank_dense`` float32 [B, X]."""

    def __init__(self, schema: FeatureSchema, config: DeepFmSettings) -> None:
        super().__init__()
        self.feeds = codes_and_crosses(schema)
        slots, dense, width = list(rank_slots(schema)), len(cross_names(schema)), config.embedding_dim
        kept = np.ones(len(slots), np.int64)
        if not config.item_ids:  # their column then says "unknown" of every item
            slots[len(schema.user_slots)], kept[len(schema.user_slots)] = 1, 0
        self.vectors = FieldEmbedding(slots, width, spread=0.01)
        self.weights = FieldEmbedding(slots, 1, spread=0.01)
        self.numbers = PiecewiseLinear(dense, config.intervals, width)
        self.deep = Members(
            (len(slots) + dense) * width + dense, config.hidden, config.members, config.dropout
        )
        self.register_buffer("kept", paddle.to_tensor(kept))
        self.register_buffer("middle", paddle.zeros([dense]))
        self.register_buffer("seen", paddle.ones([dense]))

    def fit_statistics(self, feeds: Mapping[str, npt.NDArray[Any]]) -> None:
        """Fit the scales and intervals of the dense features to the training rows, and switch off those that
        never vary there.

        A dataset without clicks teaches nothing about clicks: without this, the first live one would meet
        weights that are still random.
        """
        dense = feeds[CROSSES]
        varies = dense.max(axis=0) > dense.min(axis=0)
        spread = np.maximum(dense.std(axis=0, dtype=np.float64), _LEAST_SPREAD)
        self.middle.set_value(dense.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.seen.set_value((varies / spread).astype(np.float32))
        self.numbers.fit_intervals(dense[:: max(len(dense) // _ROWS, 1)], varies)

    def members(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """Each member's logits, float32 [M, B]."""
        codes, dense = feeds[CODES] * self.kept, feeds[CROSSES]
        vectors = self.vectors(codes)  # [B, F, D]
        first, numbers = self.numbers(dense)  # [B], [B, X · D]
        first = first + self.weights(codes).sum(axis=[1, 2])
        total = vectors.sum(axis=1)  # [B, D]
        pairs = 0.5 * (paddle.square(total) - paddle.square(vectors).sum(axis=1)).sum(axis=1)  # [B]
        scaled = (dense - self.middle) * self.seen
        deep = self.deep(paddle.concat([vectors.flatten(1), numbers, scaled], axis=1))
        logits: Tensor = (first + pairs).unsqueeze(0) + deep
        return logits

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """Logits float32 [B]."""
        logits: Tensor = self.members(feeds).mean(axis=0)
        return logits

    def loss(self, feeds: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Mean cross entropy of all members; labels float32 [B]."""
        logits = self.members(feeds)
        return F.binary_cross_entropy_with_logits(logits, labels.unsqueeze(0).expand_as(logits))

    def fold(self, slope: float, intercept: float) -> FoldedRanker:
        """``Calibrated(self, slope, intercept)`` with all computed that depends on no request."""
        vectors = _numpy(self.vectors.table.weight)  # [V, D]
        weights = _numpy(self.weights.table.weight)  # [V, 1]
        offsets, kept = self.vectors.offsets.numpy(), self.kept.numpy()
        numbers = self.numbers
        first = _numpy(self.deep.first.weight)  # [inputs, W - 1]
        bias = _numpy(self.deep.first.bias)  # [W - 1]
        width, dense = vectors.shape[1], len(_numpy(numbers.begin))
        by_field, by_vector, by_number = np.split(first, [len(offsets) * width, -dense])
        by_vector = by_vector.reshape(dense, width, -1)
        table = np.zeros((len(vectors), first.shape[1] + 1 + width))
        for column, (begin, end) in enumerate(pairwise([*offsets.tolist(), len(vectors)])):
            table[begin:end, : -1 - width] = (
                vectors[begin:end] @ by_field[column * width : (column + 1) * width]
            )
        table[:, -1 - width] = weights[:, 0]
        table[:, -width:] = vectors
        parts = np.concatenate(
            [
                np.einsum("xtd,xdw->xtw", _numpy(numbers.vectors), by_vector),
                _numpy(numbers.weights)[:, :, None],
            ],
            2,
        )
        seen = _numpy(self.seen)
        linear = np.pad(seen[:, None] * by_number, ((0, 0), (0, 1)))
        breakpoints, values, slopes, at_zero = fold_piecewise(
            numbers.begin.numpy(), numbers.slope.numpy(), parts, linear
        )
        base = np.append(
            bias
            + np.einsum("xd,xdw->w", _numpy(numbers.offset)[:, 0], by_vector)
            - (_numpy(self.middle) * seen) @ by_number,
            _numpy(numbers.bias),
        )
        return FoldedRanker(
            offsets,
            kept,
            table.astype(np.float32),
            (base + at_zero).astype(np.float32),
            breakpoints,
            values,
            slopes,
            [layer.numpy() for layer in self.deep.weights],
            [layer.numpy() for layer in self.deep.biases],
            np.array([slope, intercept], np.float32),
        )


class PiecewiseLinear(nn.Layer):
    """Numbers as fields: each has a weight and a vector, piecewise linear in the number's value."""

    def __init__(self, numbers: int, intervals: int, dim: int) -> None:
        super().__init__()
        self.intervals = intervals
        self.vectors = self.create_parameter([numbers, intervals, dim], attr=normal(0.05))
        self.offset = self.create_parameter([numbers, 1, dim], attr=normal(0.01))
        self.weights = self.create_parameter([numbers, intervals], attr=normal(0.01))
        self.bias = self.create_parameter([1], is_bias=True)
        for name in ("begin", "slope"):
            self.register_buffer(name, paddle.zeros([numbers, intervals]))

    def fit_intervals(self, values: FloatArray, varies: npt.NDArray[np.bool_]) -> None:
        """Cut each number, column of float32 [R, X], at 0 and at quantiles of what is above it."""
        begin = np.zeros((values.shape[1], self.intervals), np.float32)
        slope = np.zeros_like(begin)  # 0: an interval that is not there
        for column in np.flatnonzero(varies).tolist():
            above = values[values[:, column] > 0, column]
            cuts = np.quantile(above, np.linspace(0, 1, self.intervals))
            edges = np.unique(np.concatenate([[0.0], cuts]).astype(np.float32))
            begin[column, : len(edges) - 1] = edges[:-1]
            slope[column, : len(edges) - 1] = 1.0 / np.maximum(np.diff(edges), 1e-6)
        self.begin.set_value(begin)
        self.slope.set_value(slope)

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [B, X] -> first order [B], vectors [B, X · D]."""
        # Each value T times first: broadcasting both sides at once takes three times as long.
        numbers, intervals = self.begin.shape
        wide = values.unsqueeze(-1).expand([-1, -1, intervals]).flatten(1)  # [B, X · T]
        flat = paddle.clip((wide - self.begin.flatten()) * self.slope.flatten(), 0.0, 1.0)
        parts = flat.reshape([-1, numbers, intervals])
        # Products, and rows as the last step: the gradients of broadcast sums are slow.
        first = (flat @ self.weights.flatten().unsqueeze(1))[:, 0] + self.bias
        vectors = (parts.transpose([1, 0, 2]) @ self.vectors).transpose([1, 0, 2])
        return first, vectors.flatten(1) + self.offset.flatten()


class Members(nn.Layer):
    """M networks of linear layers and ReLU over the same inputs, computed together.

    ``hidden``: the widths, at least one."""

    def __init__(self, inputs: int, hidden: Sequence[int], members: int, dropout: float) -> None:
        super().__init__()
        self.members, self.dropout = members, Dropout(dropout)
        self.first = nn.Linear(inputs, members * hidden[0], weight_attr=normal((2.0 / inputs) ** 0.5))
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for size, width in pairwise([*hidden, 1]):
            spread = ((2.0 if width > 1 else 1.0) / size) ** 0.5
            self.weights.append(self.create_parameter([members, size, width], attr=normal(spread)))
            self.biases.append(self.create_parameter([members, 1, width], is_bias=True))

    def forward(self, inputs: Tensor) -> Tensor:
        """float32 [B, inputs] -> [M, B]."""
        # One product for all members: most of the work is here.
        out = self.first(inputs).reshape([0, self.members, -1]).transpose([1, 0, 2])  # [M, B, H]
        for layer in range(len(self.weights)):  # by number: the export cannot read a strict zip
            out = self.dropout(F.relu(out))
            out = out @ self.weights[layer] + self.biases[layer]
        logits: Tensor = out[:, :, 0]
        return logits


def _numpy(tensor: Tensor) -> npt.NDArray[np.float64]:
    values: npt.NDArray[np.float64] = tensor.numpy().astype(np.float64)
    return values
