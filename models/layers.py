"""Parts that models share. Legend: B rows, F fields, D embedding dim."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import prod

import numpy as np

from models.paddle import F, nn, paddle

Tensor = paddle.Tensor


class FieldEmbedding(nn.Layer):
    """One table for all fields: field f's bucket b is row ``offset[f] + b``."""

    def __init__(self, buckets: Sequence[int], dim: int, spread: float = 0.05) -> None:
        super().__init__()
        offsets = np.concatenate([[0], np.cumsum(buckets)])
        self.register_buffer("offsets", paddle.to_tensor(offsets[:-1], dtype="int64"))
        normal = paddle.ParamAttr(initializer=nn.initializer.Normal(std=spread))
        self.table = nn.Embedding(int(offsets[-1]), dim, weight_attr=normal)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B, F, D]."""
        vectors: Tensor = self.table(codes + self.offsets)
        return vectors


def mlp(inputs: int, hidden: Sequence[int], outputs: int, dropout: float = 0.0) -> nn.Layer:
    """Linear layers with ReLU between them; none after the last."""
    layers: list[nn.Layer] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        if dropout > 0:
            layers.append(Dropout(dropout))
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class Dropout(nn.Layer):
    """As ``nn.Dropout``, four decisions out of one random number: drawing one for each took a tenth of the
    ranker's training. ``share`` is rounded to a multiple of 1/256."""

    def __init__(self, share: float) -> None:
        super().__init__()
        self.least = round(share * 256)  # the smallest random byte that keeps its place

    def forward(self, values: Tensor) -> Tensor:
        """float32 of any shape -> the same shape."""
        if not self.training or self.least == 0:
            return values
        count = prod(values.shape)
        numbers = paddle.randint(-(2**31), 2**31 - 1, [-(-count // 4)], dtype="int32")
        kept = numbers.view("uint8")[:count].reshape(values.shape) >= self.least
        left: Tensor = values * (kept.astype("float32") * (256 / (256 - self.least)))
        return left


class Calibrated(nn.Layer):
    """A ranker as served: probabilities, by Platt's scaling of the logits."""

    def __init__(self, ranker: nn.Layer, slope: float, intercept: float) -> None:
        super().__init__()
        self.ranker = ranker
        self.slope, self.intercept = slope, intercept

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """The ranker's feeds -> probability float32 [B]."""
        return F.sigmoid(self.ranker(feeds) * self.slope + self.intercept)


def normal(spread: float) -> paddle.ParamAttr:
    """First weights of a normal distribution."""
    return paddle.ParamAttr(initializer=nn.initializer.Normal(std=spread))


def unit(vectors: Tensor, training: bool) -> Tensor:
    """float32 [..., D] -> the same, each of length 1 (or 0); in training 15 times as fast as ``F.normalize``.

    What is exported needs ``F.normalize``: Paddle Inference 3.3.1 computes the other form wrongly.
    """
    if not training:
        usual: Tensor = F.normalize(vectors, axis=-1)
        return usual
    scaled: Tensor = vectors * paddle.rsqrt(paddle.square(vectors).sum(axis=-1, keepdim=True) + 1e-24)
    return scaled


def log_sum_exp(values: Tensor) -> Tensor:
    """float32 [B, C] -> float32 [B]; half the time of ``paddle.logsumexp``."""
    highest = values.detach().max(axis=1, keepdim=True)  # [B, 1], without it large values overflow
    total: Tensor = paddle.log(paddle.exp(values - highest).sum(axis=1)) + highest[:, 0]
    return total
