"""DeepFM: ranks candidates by the probability that the user takes them.

Paper: Guo et al., "DeepFM: A Factorization-Machine based Neural Network for CTR Prediction", IJCAI 2017.

    logit = w₀ + Σ_f w[x_f] + <w_d, d>                                  first order
          + ½ Σ_dim ( (Σ_f v[x_f])² - Σ_f v[x_f]² )                     pairs of fields
          + MLP( v[x_1], …, v[x_F], d )                                 deep
    probability = sigmoid( a · logit + b )                              a, b: calibration after training

Legend: B rows, F sparse fields, X dense features, D embedding dim.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import paddle
import paddle.nn.functional as F  # noqa: N812 - its usual name
from paddle import nn

from models.config import RankConfig
from models.features import FeatureSchema, cross_names, rank_slots
from models.layers import FieldEmbedding, mlp

Tensor = paddle.Tensor


class DeepFm(nn.Layer):
    """The ranker. ``forward`` gives logits; ``Calibrated`` turns them into probabilities for serving."""

    def __init__(self, schema: FeatureSchema, config: RankConfig) -> None:
        super().__init__()
        slots, dense = rank_slots(schema), len(cross_names(schema))
        self.vectors = FieldEmbedding(slots, config.embedding_dim, spread=0.01)
        self.weights = FieldEmbedding(slots, 1, spread=0.01)
        self.linear = nn.Linear(dense, 1)
        self.deep = mlp(len(slots) * config.embedding_dim + dense, config.hidden, 1, config.dropout)
        self.register_buffer("middle", paddle.zeros([dense]))
        self.register_buffer("seen", paddle.ones([dense]))

    def see(self, dense: npt.NDArray[np.float32]) -> None:
        """Bring dense features to mean 0 and spread 1 over the training rows, float32 [R, X], and switch off
        those that never vary there.

        A dataset without clicks teaches nothing about clicks: without this, the first live one would meet
        weights that are still random.
        """
        varies = dense.max(axis=0) > dense.min(axis=0)
        spread = np.maximum(dense.std(axis=0, dtype=np.float64), 1e-2)  # a rare one does not shout
        self.middle.set_value(dense.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.seen.set_value((varies / spread).astype(np.float32))

    def forward(self, rank_sparse: Tensor, rank_dense: Tensor) -> Tensor:
        """int64 [B, F], float32 [B, X] -> logits float32 [B]."""
        rank_dense = (rank_dense - self.middle) * self.seen
        vectors = self.vectors(rank_sparse)  # [B, F, D]
        first = self.weights(rank_sparse).sum(axis=[1, 2]) + self.linear(rank_dense)[:, 0]  # [B]
        total = vectors.sum(axis=1)  # [B, D]
        pairs = 0.5 * (total * total - (vectors * vectors).sum(axis=1)).sum(axis=1)  # [B]
        deep = self.deep(paddle.concat([vectors.flatten(1), rank_dense], axis=1))[:, 0]  # [B]
        logits: Tensor = first + pairs + deep
        return logits

    def loss(self, logits: Tensor, labels: Tensor) -> Tensor:
        """Mean cross entropy; float32 [B] twice."""
        return F.binary_cross_entropy_with_logits(logits, labels)


class Calibrated(nn.Layer):
    """A ranker as served: probabilities, by Platt's scaling of the logits."""

    def __init__(self, ranker: nn.Layer, slope: float, intercept: float) -> None:
        super().__init__()
        self.ranker = ranker
        self.slope, self.intercept = slope, intercept

    def forward(self, rank_sparse: Tensor, rank_dense: Tensor) -> Tensor:
        """int64 [B, F], float32 [B, X] -> probability float32 [B]."""
        return F.sigmoid(self.ranker(rank_sparse, rank_dense) * self.slope + self.intercept)
