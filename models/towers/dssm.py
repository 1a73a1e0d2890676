"""DSSM: two towers for recall.

Papers: Huang et al., "Learning Deep Structured Semantic Models", CIKM 2013 (two towers); Yi et al.,
"Sampling-Bias-Corrected Neural Modeling", RecSys 2019 (in-batch softmax with logQ); Yang et al., "Mixed
Negative Sampling", WWW 2020 (random negatives beside those of the batch).

    score(u, i) = <user(u), item(i)>,   both of length 1
    loss = -log softmax_j( score(u, j) / temperature - log Q(j) )  at the item taken

Legend: B users, C items, F fields, L sequence length, T terms of a text, D embedding dim.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, sequence_category
from engine.features.encoder import USER_DENSE
from models.layers import FieldEmbedding, log_sum_exp, mlp, normal, unit
from models.paddle import F, nn, paddle
from models.training.config import TowerConfig

Tensor = paddle.Tensor


class Terms(nn.Layer):
    """A text as the mean of its terms, Σ w e / Σ w, where w = log(1 + N / items with the term)."""

    def __init__(self, buckets: int, dim: int) -> None:
        super().__init__()
        self.table = nn.Embedding(buckets, dim, weight_attr=normal(0.3))  # a mean of many is small again
        weights = np.ones((buckets, 1), np.float32)
        weights[0] = 0.0  # padding
        self.register_buffer("weights", paddle.to_tensor(weights))

    def fit_statistics(self, text: npt.NDArray[np.int32]) -> None:
        """Take the weights from the catalogue's texts [N, T]; in each a term stands once at most."""
        items = np.bincount(text.ravel(), minlength=len(self.weights))
        weights = np.log1p(len(text) / np.maximum(items, 1)).astype(np.float32)
        weights[0] = 0.0
        self.weights.set_value(weights[:, None])

    def forward(self, text: Tensor) -> Tensor:
        """int64 [C, T], 0 = padding -> float32 [C, D], zero where there is no term."""
        weights = F.embedding(text, self.weights)  # [C, T, 1]
        total = weights.sum(axis=1)  # [C, 1]
        pooled = paddle.transpose(weights, [0, 2, 1]) @ self.table(text)  # [C, 1, D]
        mean: Tensor = pooled[:, 0] / (total + 1e-6)
        return mean


class ItemTower(nn.Layer):
    """An item's id (dropped now and then in training, so that content alone must do) and content: its fields,
    and its text, a mean of the terms that weighs the rare ones more."""

    def __init__(self, schema: FeatureSchema, config: TowerConfig) -> None:
        super().__init__()
        buckets = [slot.buckets for slot in schema.item_slots]
        self.ids = nn.Embedding(buckets[0], config.embedding_dim, weight_attr=normal(0.05))
        self.content = FieldEmbedding(buckets[1:], config.embedding_dim)
        self.terms = Terms(schema.text_buckets, config.embedding_dim) if schema.text_length else None
        inputs = len(buckets) - 1 + (self.terms is not None)
        self.mix = mlp(inputs * config.embedding_dim, config.hidden, config.embedding_dim)
        self.id_dropout = config.id_dropout

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """``item_sparse`` int64 [C, F] and, where the schema reads texts, ``item_text`` int64 [C, T] ->
        float32 [C, D], each row of length 1."""
        ids, content = feeds["item_sparse"][:, 0], feeds["item_sparse"][:, 1:]
        if self.training and self.id_dropout > 0:
            ids = ids * (paddle.rand(ids.shape) >= self.id_dropout).astype("int64")
        known = (ids > 0).astype("float32").unsqueeze(-1)  # [C, 1]
        parts = [self.content(content).flatten(1)]  # [C, (F - 1) × D]
        if self.terms is not None:
            parts.append(self.terms(feeds["item_text"]))
        vector = self.mix(paddle.concat(parts, axis=-1)) + self.ids(ids) * known  # [C, D]
        return unit(vector, self.training)


class UserTower(nn.Layer):
    """Profile, a few numbers, and the user's items pooled twice: with long and with short memory."""

    def __init__(self, schema: FeatureSchema, config: TowerConfig) -> None:
        super().__init__()
        profile = [slot.buckets for slot in schema.user_slots] or [1]  # as ``FeatureEncoder.user_tower``
        width = config.embedding_dim
        self.items = nn.Embedding(schema.n_item_ids + 1, width, weight_attr=normal(0.05))
        self.categories = nn.Embedding(sequence_category(schema).buckets, width, weight_attr=normal(0.05))
        self.profile = FieldEmbedding(profile, width)
        self.mix = mlp(4 * width + len(profile) * width + USER_DENSE, config.hidden, width)
        self.long = nn.Linear(width, width, bias_attr=False)

    def forward(self, feeds: Mapping[str, Tensor]) -> Tensor:
        """``user_sparse`` int64 [B, F], ``user_dense`` float32 [B, 3], ``sequence_items`` and
        ``sequence_categories`` int64 [B, L], ``sequence_weights`` float32 [B, L, 2] -> float32 [B, D], each
        row of length 1."""
        sequence_items = feeds["sequence_items"]
        weights = paddle.transpose(feeds["sequence_weights"], [0, 2, 1])  # [B, 2, L]
        known = (sequence_items > 0).astype("float32").unsqueeze(-1)  # [B, L, 1]
        items = weights @ (self.items(sequence_items) * known)  # [B, 2, D]
        categories = weights @ self.categories(feeds["sequence_categories"])  # [B, 2, D]
        profile = self.profile(feeds["user_sparse"])  # [B, F, D]
        parts = [items.flatten(1), categories.flatten(1), feeds["user_dense"], profile.flatten(1)]
        # The pooled items go around the network too: what was taken is the best single hint.
        vector = self.mix(paddle.concat(parts, axis=-1)) + self.long(items[:, 0])
        return unit(vector, self.training)


class Dssm(nn.Layer):
    """Both towers and their common loss."""

    def __init__(self, schema: FeatureSchema, config: TowerConfig) -> None:
        super().__init__()
        self.user, self.item = UserTower(schema, config), ItemTower(schema, config)
        self.temperature = config.temperature

    def fit_statistics(self, text: npt.NDArray[np.int32] | None) -> None:
        """How telling each term of the catalogue's texts [N, T] is; before training."""
        if self.item.terms is not None and text is not None:
            self.item.terms.fit_statistics(text)

    def loss(self, users: Tensor, items: Tensor, log_q: Tensor, target: Tensor, taken: Tensor) -> Tensor:
        """Mean sampled softmax loss with logQ correction.

        users float32 [B, D]; items float32 [C, D], the batch's and the random ones; log_q float32 [C], log of
        how likely each item is to be among them; target int64 [P, 2], pairs (user, item) of the batch; taken
        float32 [B, C], 1 where the item is a positive of that user, and so no negative for it.
        """
        logits = users @ items.T / self.temperature - log_q  # [B, C]
        others = log_sum_exp(logits - 1e9 * taken)  # [B]
        wanted = paddle.gather_nd(logits, target)  # [P]
        rest = paddle.gather(others, target[:, 0])  # [P]
        return F.softplus(rest - wanted).mean()
