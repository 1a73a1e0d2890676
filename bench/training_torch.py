"""The product's DSSM and DeepFM written plainly in PyTorch, and a loop over the same batches.

Started by bench/training_speed.py in a process of its own; needs nothing but NumPy and PyTorch. The job, a
JSON object as the one argument, is described in ``bench/training_job.py``. Prints one JSON object.

Legend: B rows or users, C items, F fields, X dense features, T intervals, L sequence length, D embedding dim,
M members.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812 - its usual name
from torch import Tensor, nn

from bench.training_job import Arrays, Job, Result, Stopwatch, peak_mib


class FieldEmbedding(nn.Module):
    """One table for all fields: field f's bucket b is row ``offset[f] + b``."""

    def __init__(self, buckets: list[int], dim: int) -> None:
        super().__init__()
        offsets = np.concatenate([[0], np.cumsum(buckets)])
        self.register_buffer("offsets", torch.from_numpy(offsets[:-1]))
        self.table = nn.Embedding(int(offsets[-1]), dim)

    def forward(self, codes: Tensor) -> Tensor:
        """int64 [B, F] -> float32 [B, F, D]."""
        return self.table(codes + self.offsets)


def mlp(inputs: int, hidden: list[int], outputs: int, dropout: float = 0.0) -> nn.Sequential:
    """Linear layers with ReLU between them; none after the last."""
    layers: list[nn.Module] = []
    for width in hidden:
        layers += [nn.Linear(inputs, width), nn.ReLU()]
        if dropout > 0:
            layers.append(nn.Dropout(dropout))
        inputs = width
    return nn.Sequential(*layers, nn.Linear(inputs, outputs))


class PiecewiseLinear(nn.Module):
    """See models/rankers/deepfm.py."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        numbers, intervals, dim = job.dense, job.intervals, job.embedding_dim
        self.vectors = nn.Parameter(torch.zeros(numbers, intervals, dim))
        self.offset = nn.Parameter(torch.zeros(numbers, 1, dim))
        self.weights = nn.Parameter(torch.zeros(numbers, intervals))
        self.bias = nn.Parameter(torch.zeros(1))
        self.register_buffer("begin", torch.zeros(numbers, intervals))
        self.register_buffer("slope", torch.zeros(numbers, intervals))

    def forward(self, values: Tensor) -> tuple[Tensor, Tensor]:
        """float32 [B, X] -> first order [B], vectors [B, X, D]."""
        parts = ((values.unsqueeze(-1) - self.begin) * self.slope).clamp(0.0, 1.0)  # [B, X, T]
        first = (parts * self.weights).sum(dim=(1, 2)) + self.bias
        vectors = torch.bmm(parts.transpose(0, 1), self.vectors) + self.offset  # [X, B, D]
        return first, vectors.transpose(0, 1)


class DeepFm(nn.Module):
    """See models/rankers/deepfm.py."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        slots, dense, dim = job.buckets["rank"], job.dense, job.embedding_dim
        self.vectors, self.weights = FieldEmbedding(slots, dim), FieldEmbedding(slots, 1)
        self.numbers = PiecewiseLinear(job)
        inputs = (len(slots) + dense) * dim + dense
        self.deep = nn.ModuleList(mlp(inputs, job.hidden, 1, job.dropout) for _ in range(job.members))
        self.register_buffer("kept", torch.ones(len(slots), dtype=torch.int64))
        self.register_buffer("middle", torch.zeros(dense))
        self.register_buffer("seen", torch.ones(dense))

    def forward(self, sparse: Tensor, dense: Tensor) -> Tensor:
        """int64 [B, F], float32 [B, X] -> each member's logits float32 [M, B]."""
        codes = sparse * self.kept
        vectors = self.vectors(codes)  # [B, F, D]
        first, numbers = self.numbers(dense)  # [B], [B, X, D]
        first = first + self.weights(codes).sum(dim=(1, 2))
        total = vectors.sum(dim=1)  # [B, D]
        pairs = 0.5 * (total * total - (vectors * vectors).sum(dim=1)).sum(dim=1)
        scaled = (dense - self.middle) * self.seen
        inputs = torch.cat([vectors.flatten(1), numbers.flatten(1), scaled], dim=1)
        deep = torch.stack([member(inputs)[:, 0] for member in self.deep])  # [M, B]
        return first + pairs + deep


class ItemTower(nn.Module):
    """See models/towers/dssm.py."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        buckets, dim = job.buckets["item"], job.embedding_dim
        self.ids = nn.Embedding(buckets[0], dim)
        self.content = FieldEmbedding(buckets[1:], dim)
        self.mix = mlp((len(buckets) - 1) * dim, job.hidden, dim)
        self.id_dropout = job.dropout

    def forward(self, item_sparse: Tensor) -> Tensor:
        """int64 [C, F] -> float32 [C, D], each row of length 1."""
        ids, content = item_sparse[:, 0], item_sparse[:, 1:]
        if self.training and self.id_dropout > 0:
            ids = ids * (torch.rand(ids.shape) >= self.id_dropout)
        known = (ids > 0).float().unsqueeze(-1)  # [C, 1]
        return F.normalize(self.mix(self.content(content).flatten(1)) + self.ids(ids) * known, dim=-1)


class UserTower(nn.Module):
    """See models/towers/dssm.py."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        profile, dim = job.buckets["user"], job.embedding_dim
        self.items = nn.Embedding(job.buckets["item"][0], dim)
        self.categories = nn.Embedding(job.buckets["category"][0], dim)
        self.profile = FieldEmbedding(profile, dim)
        self.mix = mlp(4 * dim + len(profile) * dim + job.dense, job.hidden, dim)
        self.long = nn.Linear(dim, dim, bias=False)

    def forward(
        self, sparse: Tensor, dense: Tensor, items: Tensor, categories: Tensor, weights: Tensor
    ) -> Tensor:
        """int64 [B, F], float32 [B, 3], int64 [B, L] twice, float32 [B, L, 2] -> float32 [B, D], length 1."""
        weights = weights.transpose(1, 2)  # [B, 2, L]
        known = (items > 0).float().unsqueeze(-1)
        pooled = weights @ (self.items(items) * known)  # [B, 2, D]
        content = weights @ self.categories(categories)  # [B, 2, D]
        parts = [pooled.flatten(1), content.flatten(1), dense, self.profile(sparse).flatten(1)]
        return F.normalize(self.mix(torch.cat(parts, dim=-1)) + self.long(pooled[:, 0]), dim=-1)


class Dssm(nn.Module):
    """See models/towers/dssm.py."""

    def __init__(self, job: Job) -> None:
        super().__init__()
        self.user, self.item, self.temperature = UserTower(job), ItemTower(job), job.temperature

    def loss(self, users: Tensor, items: Tensor, log_q: Tensor, target: Tensor, taken: Tensor) -> Tensor:
        """Mean sampled softmax loss with logQ correction."""
        logits = users @ items.T / self.temperature - log_q  # [B, C]
        others = torch.logsumexp(logits - 1e9 * taken, dim=1)  # [B]
        wanted = logits[target[:, 0], target[:, 1]]  # [P]
        return F.softplus(others[target[:, 0]] - wanted).mean()


def dssm_losses(model: Dssm, arrays: Arrays, job: Job, rng: np.random.Generator) -> Iterator[Tensor]:
    """The loss of each batch; batches are those of models/training/fitting.py for the same random numbers."""
    n_items, every = len(arrays["items"]), arrays["positives"]
    taken = every[every >= 0]
    frequency = np.bincount(taken, minlength=n_items) / len(taken)
    order = rng.permutation(len(every))
    for start in range(0, len(order) - job.batch + 1, job.batch):
        part = order[start : start + job.batch]
        positives = every[part]
        user, _ = np.nonzero(positives >= 0)
        own = positives[positives >= 0]
        drawn = rng.integers(0, n_items, job.negatives)
        items, place = np.unique(np.concatenate([own, drawn]), return_inverse=True)
        log_q = np.log(len(own) * frequency[items] + len(drawn) / n_items).astype(np.float32)
        target = np.stack([user, place[: len(own)]], axis=1)
        mask = np.zeros((len(part), len(items)), np.float32)
        mask[target[:, 0], target[:, 1]] = 1.0
        users = model.user(*(torch.from_numpy(arrays[name][part]) for name in job.feeds))
        vectors = model.item(torch.from_numpy(arrays["items"][items]))
        yield model.loss(users, vectors, *(torch.from_numpy(array) for array in (log_q, target, mask)))


def deepfm_losses(model: DeepFm, arrays: Arrays, job: Job, rng: np.random.Generator) -> Iterator[Tensor]:
    """The loss of each batch; batches are those of models/training/fitting.py for the same random numbers."""
    taken, others = np.flatnonzero(arrays["label"] > 0), np.flatnonzero(arrays["label"] <= 0)
    order = rng.permutation(np.concatenate([taken, rng.choice(others, job.negatives, replace=False)]))
    for start in range(0, len(order), job.batch):
        part = np.sort(order[start : start + job.batch])
        sparse = torch.from_numpy(arrays["sparse"][part].astype(np.int64))
        logits = model(sparse, torch.from_numpy(arrays["dense"][part]))
        labels = torch.from_numpy(arrays["label"][part]).expand_as(logits)
        yield F.binary_cross_entropy_with_logits(logits, labels)


def load(model: nn.Module, path: Path, job: Job) -> None:
    """Take over Paddle's weights: a linear layer's are the other way round there."""
    with np.load(path) as file:
        given = dict(file)
    if job.model == "deepfm":
        given |= members(given, job)
    linear = {f"{name}.weight" for name, part in model.named_modules() if isinstance(part, nn.Linear)}
    state = {name: torch.from_numpy(np.array(v.T if name in linear else v)) for name, v in given.items()}
    model.load_state_dict(state)


def members(given: Arrays, job: Job) -> Arrays:
    """Each member's linear layers, taken out of the arrays that Paddle keeps for all of them."""
    shared = {name: given.pop(name) for name in list(given) if name.startswith("deep.")}
    step = 3 if job.dropout > 0 else 2  # modules from one linear layer to the next
    own = {}
    for m in range(job.members):
        width = job.hidden[0]
        columns = slice(m * width, (m + 1) * width)
        own[f"deep.{m}.0.weight"] = shared["deep.first.weight"][:, columns]
        own[f"deep.{m}.0.bias"] = shared["deep.first.bias"][columns]
        for layer in range(len(job.hidden)):
            own[f"deep.{m}.{(layer + 1) * step}.weight"] = shared[f"deep.weights.{layer}"][m]
            own[f"deep.{m}.{(layer + 1) * step}.bias"] = shared[f"deep.biases.{layer}"][m, 0]
    return own


def run(job: Job) -> Result:
    """Train some steps as the job says."""
    torch.set_num_threads(job.threads)
    torch.manual_seed(job.seed)
    model = (Dssm if job.model == "dssm" else DeepFm)(job)
    load(model, Path(job.folder) / f"{job.model}.npz", job)
    arrays = job.arrays()
    losses = dssm_losses if job.model == "dssm" else deepfm_losses

    def batches() -> Iterator[Tensor]:
        return losses(model, arrays, job, np.random.default_rng([job.seed, 0]))

    model.eval()
    first = float(next(batches()).detach())
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=job.learning_rate, weight_decay=job.weight_decay)
    watch, total = Stopwatch(job.warm_up), 0.0
    for step, loss in enumerate(islice(batches(), job.steps)):
        watch.step()
        optimizer.param_groups[0]["lr"] = job.rate(step)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()
    count = sum(part.numel() for part in model.parameters())
    return Result(count, first, total / job.steps, *watch.seconds(), peak_mib())


if __name__ == "__main__":
    print(json.dumps(run(Job(**json.loads(sys.argv[1])))._asdict()))
