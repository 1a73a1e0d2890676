"""DeepFM with attention over the user's history as extra fields.

The user's other ratings, split in liked and disliked, are asked about the candidate; what they answer is two
more fields beside those of Guo et al. (``models/rankers/deepfm.py``), and numbers for the deep part:

    e_j = <Q v_i, K v_j> / √D + g |a_ij|,   α = softmax over the history's T items with the largest |a_ij|
    h⁺ = Σ_liked α_j V_j,   h⁻ = Σ_disliked α_j V_j                          history attention
    logit_c = b_c + s_c · ( <w_d, d> + ½ Σ_dim ((Σ_f x_f)² - Σ_f x_f²) ) + MLP( x_1, …, x_F, d )_c

a_ij: weights of the closed-form attention of ``rating_kernel.py``, whose answers are among the dense features
d. x_f: embeddings of item, user, profile and item features, the mean of the genres', h⁺ and h⁻. Without
history the model is a plain DeepFM.

c: one logit for "more than 3 stars" (the answer) and, as auxiliary tasks, "more than 1" and "more than 4".

Legend: B rows, F sparse fields, G genres, X dense features, T places of the history, D embedding dim.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from models.layers import FieldEmbedding, mlp
from models.paddle import F, nn, paddle

Tensor = paddle.Tensor

LOGITS = 3  # more than 3 stars, more than 1, more than 4
_FAR = -1e9  # the attention logit of an empty place


@dataclass(frozen=True)
class HistoryShape:
    """What a model is made for."""

    buckets: tuple[int, ...]  # of each sparse field; the item's id is field 0
    genres: int
    dense: int
    history: bool
    dim: int = 16
    hidden: Sequence[int] = (256, 128)
    dropout: float = 0.2
    field_dropout: float = 0.0


class HistoryAttention(nn.Layer):
    """The fields h⁺ and h⁻."""

    def __init__(self, items: int, dim: int) -> None:
        super().__init__()
        normal = paddle.ParamAttr(initializer=nn.initializer.Normal(std=0.05))
        self.query = nn.Embedding(items, dim, weight_attr=normal)
        self.key = nn.Embedding(items + 1, dim, weight_attr=normal)  # the last line: an empty place
        self.value = nn.Embedding(items + 1, dim, weight_attr=normal)
        self.gain = self.create_parameter([1], default_initializer=nn.initializer.Constant(2.0))
        self.items, self.scale = items, dim**-0.5

    def forward(self, item: Tensor, neighbours: Tensor, weights: Tensor, residuals: Tensor) -> Tensor:
        """int64 [B], int64 [B, T] (-1: empty), float32 [B, T] twice -> float32 [B, 2, D]."""
        empty = neighbours < 0
        place = paddle.where(empty, paddle.full_like(neighbours, self.items), neighbours)
        query = self.query(item).unsqueeze(2)  # [B, D, 1]
        logits = (self.key(place) @ query).squeeze(2) * self.scale + self.gain * weights.abs()  # [B, T]
        alpha = F.softmax(logits + empty.astype("float32") * _FAR, axis=1)
        alpha = alpha * (~empty).astype("float32")  # nobody's history is empty vectors, not a mean of padding
        liked = (residuals > 0).astype("float32")
        parts = paddle.stack([alpha * liked, alpha * (1.0 - liked)], axis=1)  # [B, 2, T]
        fields: Tensor = parts @ self.value(place)
        return fields


class HistoryDeepFm(nn.Layer):
    """The ranker; ``forward`` gives logits."""

    def __init__(self, shape: HistoryShape) -> None:
        super().__init__()
        dim = shape.dim
        self.shape = shape
        self.vectors = FieldEmbedding(shape.buckets, dim)
        self.weights = FieldEmbedding(shape.buckets, 1, spread=0.01)
        self.genres = nn.Linear(shape.genres, dim, bias_attr=False)
        self.history = HistoryAttention(shape.buckets[0], dim) if shape.history else None
        fields = len(shape.buckets) + 1 + (2 if shape.history else 0)
        self.linear = nn.Linear(shape.dense, 1)
        self.deep = mlp(fields * dim + shape.dense, shape.hidden, LOGITS, shape.dropout)
        self.wide = nn.Linear(1, LOGITS)
        self.wide.weight.set_value(np.ones((1, LOGITS), np.float32))
        self.register_buffer("middle", paddle.zeros([shape.dense]))
        self.register_buffer("scale", paddle.ones([shape.dense]))

    def see(self, dense: npt.NDArray[np.float32]) -> None:
        """Bring the dense features to mean 0 and spread 1 over the training rows, float32 [R, X]."""
        spread = np.maximum(dense.std(axis=0, dtype=np.float64), 1e-2)
        self.middle.set_value(dense.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.scale.set_value((1.0 / spread).astype(np.float32))

    def forward(
        self,
        codes: Tensor,
        genres: Tensor,
        dense: Tensor,
        neighbours: Tensor | None = None,
        weights: Tensor | None = None,
        residuals: Tensor | None = None,
    ) -> Tensor:
        """int64 [B, F], float32 [B, G] (lines sum to 1), float32 [B, X], history [B, T] -> logits [B, 3]."""
        dense = (dense - self.middle) * self.scale
        parts = [self.vectors(codes), self.genres(genres).unsqueeze(1)]
        if self.history is not None:
            parts.append(self.history(codes[:, 0], neighbours, weights, residuals))
        fields = paddle.concat(parts, axis=1)  # [B, fields, D]
        fields = F.dropout(fields, self.shape.field_dropout, training=self.training)
        total = fields.sum(axis=1)
        pairs = 0.5 * (total * total - (fields * fields).sum(axis=1)).sum(axis=1)  # [B]
        first = self.weights(codes).sum(axis=[1, 2]) + self.linear(dense)[:, 0] + pairs
        deep = self.deep(paddle.concat([fields.flatten(1), dense], axis=1))
        logits: Tensor = self.wide(first.unsqueeze(1)) + deep
        return logits

    def loss(self, logits: Tensor, targets: Tensor, auxiliary: float) -> Tensor:
        """Cross entropy of the label plus ``auxiliary`` times that of the other two; float32 [B, 3] twice."""
        each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(axis=0)
        return each[0] + auxiliary * (each[1] + each[2])
