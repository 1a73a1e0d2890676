"""Parts that models share. Legend: B rows, F fields, D embedding dim."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import paddle
from paddle import nn

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
            layers.append(nn.Dropout(dropout))
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))
