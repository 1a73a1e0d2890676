"""DeepFM with attention over the user's history as extra fields.

The user's other items, split in liked and disliked, are asked about the candidate; what they answer is two
more fields beside those of Guo et al. (``models/rankers/deepfm.py``):

    e_j = <Q v_i, K v_j> / √D + g |a_ij|,   α = softmax over the history's T items with the largest |a_ij|
    h⁺ = Σ_liked α_j V_j,   h⁻ = Σ_disliked α_j V_j                          history attention
    logit_c = b_c + s_c · ( <w_d, d> + ½ Σ_dim ((Σ_f x_f)² - Σ_f x_f²) ) + MLP( x_1, …, x_F, d )_c

a_ij: how strongly the candidate is item j's neighbour; in a shop by the release's neighbours, in the protocol
``ml1m-rank`` the weights of a closed-form attention (``evaluation/methods/rating_kernel.py``), whose answers
are among the dense features d. x_f: embeddings of the codes, of the mean of further features if there are any
(films' genres), h⁺ and h⁻. Without history the model is a plain DeepFM.

c: the answer, and auxiliary tasks if labels of several columns are given.

Legend: B rows, F sparse fields, G further features, X dense features, T places of the history, D embedding
dim, L tasks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, Feed, codes_and_crosses, feed, rank_slots
from engine.features.feeds import CODES, CROSSES, HISTORY
from models.layers import FieldEmbedding, mlp
from models.paddle import F, nn, paddle

Tensor = paddle.Tensor

_FAR = -1e9  # the attention logit of an empty place


@dataclass(frozen=True)
class HistoryDeepFmSettings:
    """The network's size, and what it pays attention to."""

    embedding_dim: int = 16
    hidden: tuple[int, ...] = (128, 64)
    dropout: float = 0.2
    field_dropout: float = 0.0
    places: int = 8  # items of the history that are read; 0: none
    tasks: int = 1  # columns of the labels, the answer first
    auxiliary: float = 0.3  # weight of the other tasks


class HistoryAttention(nn.Layer):
    """The fields h⁺ and h⁻. Item codes: 1 to ``items``; 0 is no item."""

    def __init__(self, items: int, dim: int) -> None:
        super().__init__()
        normal = paddle.ParamAttr(initializer=nn.initializer.Normal(std=0.05))
        self.query = nn.Embedding(items + 1, dim, weight_attr=normal)
        self.key = nn.Embedding(items + 1, dim, weight_attr=normal)
        self.value = nn.Embedding(items + 1, dim, weight_attr=normal)
        self.gain = self.create_parameter([1], default_initializer=nn.initializer.Constant(2.0))
        self.scale = dim**-0.5

    def forward(self, item: Tensor, history: Tensor, scores: Tensor, liked: Tensor) -> Tensor:
        """int64 [B], int64 [B, T], float32 [B, T] twice -> float32 [B, 2, D]."""
        empty = (history == 0).astype("float32")
        query = self.query(item).unsqueeze(2)  # [B, D, 1]
        logits = (self.key(history) @ query).squeeze(2) * self.scale + self.gain * scores.abs()  # [B, T]
        alpha = F.softmax(logits + empty * _FAR, axis=1)
        alpha = alpha * (1.0 - empty)  # of an empty history the fields are 0, not a mean of padding
        positive = (liked > 0).astype("float32")
        parts = paddle.stack([alpha * positive, alpha * (1.0 - positive)], axis=1)  # [B, 2, T]
        fields: Tensor = parts @ self.value(history)
        return fields


class HistoryDeepFm(nn.Layer):
    """The ranker. ``forward`` gives the logits of the answer, ``tasks`` those of all tasks."""

    def __init__(
        self,
        feeds: Sequence[Feed],
        buckets: Sequence[int],
        item_field: int,
        settings: HistoryDeepFmSettings,
        bags: str = "",
    ) -> None:
        """``buckets``: of each column of the codes; ``item_field``: the one that is the item's own code.
        ``bags``: the feed float32 [B, G], lines sum to 1, of features of which a row may have several."""
        super().__init__()
        self.feeds, self.item_field = tuple(feeds), item_field
        width = {entry.name: entry.shape[0] for entry in feeds}
        dim, dense = settings.embedding_dim, width[CROSSES]
        self.vectors = FieldEmbedding(buckets, dim)
        self.weights = FieldEmbedding(buckets, 1, spread=0.01)
        self.bag_feed = bags
        self.bags = nn.Linear(width[bags], dim, bias_attr=False) if bags else None
        self.history = HistoryAttention(buckets[item_field] - 1, dim) if settings.places else None
        fields = len(buckets) + (self.bags is not None) + 2 * (self.history is not None)
        self.linear = nn.Linear(dense, 1)
        self.deep = mlp(fields * dim + dense, settings.hidden, settings.tasks, settings.dropout)
        self.wide = nn.Linear(1, settings.tasks)
        self.wide.weight.set_value(np.ones((1, settings.tasks), np.float32))
        self.register_buffer("middle", paddle.zeros([dense]))
        self.register_buffer("scale", paddle.ones([dense]))
        self.field_dropout, self.auxiliary = settings.field_dropout, settings.auxiliary

    @classmethod
    def of_schema(cls, schema: FeatureSchema, settings: HistoryDeepFmSettings) -> HistoryDeepFm:
        """The ranker of a shop: codes, crosses, and the history's nearest items."""
        history = [feed(name, schema, settings.places) for name in HISTORY] if settings.places else []
        return cls(
            (*codes_and_crosses(schema), *history), rank_slots(schema), len(schema.user_slots), settings
        )

    def fit_statistics(self, feeds: Mapping[str, npt.NDArray[Any]]) -> None:
        """Bring the dense features to mean 0 and spread 1 over the training rows' feeds."""
        dense = feeds[CROSSES]
        spread = np.maximum(dense.std(axis=0, dtype=np.float64), 1e-2)
        self.middle.set_value(dense.mean(axis=0, dtype=np.float64).astype(np.float32))
        self.scale.set_value((1.0 / spread).astype(np.float32))

    def tasks(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """The logits of all tasks, float32 [B, L]."""
        codes, dense = feeds[CODES], (feeds[CROSSES] - self.middle) * self.scale
        parts = [self.vectors(codes)]
        if self.bags is not None:
            parts.append(self.bags(feeds[self.bag_feed]).unsqueeze(1))
        if self.history is not None:
            items, scores, liked = HISTORY
            parts.append(self.history(codes[:, self.item_field], feeds[items], feeds[scores], feeds[liked]))
        fields = paddle.concat(parts, axis=1)  # [B, fields, D]
        fields = F.dropout(fields, self.field_dropout, training=self.training)
        total = fields.sum(axis=1)
        pairs = 0.5 * (total * total - (fields * fields).sum(axis=1)).sum(axis=1)  # [B]
        first = self.weights(codes).sum(axis=[1, 2]) + self.linear(dense)[:, 0] + pairs
        deep = self.deep(paddle.concat([fields.flatten(1), dense], axis=1))
        logits: Tensor = self.wide(first.unsqueeze(1)) + deep
        return logits

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """Logits of the answer, float32 [B]."""
        logits: Tensor = self.tasks(feeds)[:, 0]
        return logits

    def loss(self, feeds: Mapping[str, Tensor], labels: Tensor) -> Tensor:
        """Cross entropy of the answer, and ``auxiliary`` times that of the other tasks; labels float32 [B] or
        [B, L]."""
        logits = self.tasks(feeds)
        targets = labels.reshape(logits.shape)
        each = F.binary_cross_entropy_with_logits(logits, targets, reduction="none").mean(axis=0)  # [L]
        return each[0] + self.auxiliary * (each.sum() - each[0])
