"""Every number a training run may be tuned by, frozen and typed; three named sets of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class CatalogueConfig:
    """Which items the release knows by an embedding of their own."""

    min_buyers: int = 5  # fewer buyers: no embedding of its own, unless the catalogue is small
    max_items: int = 15_000  # the most bought ones
    keep_all_below: int = 2_000  # a catalogue this small is kept whole


@dataclass(frozen=True)
class TowerConfig:
    """The two towers, see ``models/towers/dssm.py``."""

    name: str = "dssm"  # in models/registry.py
    embedding_dim: int = 64
    hidden: tuple[int, ...] = (128,)
    text_length: int = 96  # terms of an item that are read at most; 0: texts are not read
    text_buckets: int = 32_768  # of their terms, at most
    id_dropout: float = 0.15  # share of training items shown without their id, as new ones are
    temperature: float = 0.08
    random_negatives: int = 1024
    contexts_per_user: int = 8
    new_shoppers: float = 0.2  # share of the contexts of users with a profile that get no history
    positives_per_context: int = 4
    horizon_days: float = 14.0  # bought within these days after the context's time
    contexts_per_batch: int = 256
    epochs: int = 4
    refit_epochs: int = 2
    learning_rate: float = 2e-3


@dataclass(frozen=True)
class RankConfig:
    """Which ranker, and how it is trained. ``settings``: hyperparameters of the network, by the names of its
    own dataclass in ``models/rankers/``; what is left out is as that says."""

    name: str = "deepfm"  # in models/registry.py
    settings: Mapping[str, Any] = field(default_factory=dict)
    cutoffs: int = 2  # windows before validation that samples are drawn from
    users: int = 6_000  # of each window, drawn at random where more were active
    random_candidates: int = 20  # beside the recalled ones
    new_shoppers: float = 0.3  # share of the users with a profile who are shown without history as well
    negatives: float = 5.0  # rows not taken that an epoch draws for each that was
    batch_size: int = 1024
    epochs: int = 3
    refit_epochs: int = 2
    learning_rate: float = 2e-3
    weight_decay: float = 1e-5


@dataclass(frozen=True)
class RecallConfig:
    """How many candidates the ranker learns on; by which quotas says engine/recall/merge.py."""

    total: int = 200


@dataclass(frozen=True)
class TrainConfig:
    """One training run. ``window_days``: what is predicted and validated on, at most a sixth of the data."""

    name: str = "quick"
    seed: int = 7
    window_days: float = 28.0
    neighbours: int = 100
    neighbour_method: str = "auto"  # ease | cosine | auto: ease where its smaller side is at most 12,000
    ease_lambda: float = 1000.0
    fresh_neighbours: bool = False  # anew for each window, as in serving, not once for the earliest one
    channel_size: int = 200
    catalogue: CatalogueConfig = field(default_factory=CatalogueConfig)
    tower: TowerConfig = field(default_factory=TowerConfig)
    rank: RankConfig = field(default_factory=RankConfig)
    recall: RecallConfig = field(default_factory=RecallConfig)


QUICK = TrainConfig()
FULL = TrainConfig(
    name="full",
    tower=TowerConfig(contexts_per_user=24, epochs=8, refit_epochs=3, hidden=(256,)),
    rank=RankConfig(settings={"hidden": (256, 128), "members": 2}, cutoffs=4),
)
# What docs/quality.md measures: one window more than QUICK, and members.
BENCH = TrainConfig(name="bench", fresh_neighbours=True, rank=RankConfig(settings={"members": 2}, cutoffs=3))
CONFIGS = {config.name: config for config in (QUICK, BENCH, FULL)}
