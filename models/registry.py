"""The networks there are, by the name used in a configuration. A new one is a file and one line here."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from engine.features import FeatureSchema, Feed
from models.paddle import paddle, unique_name
from models.rankers.deepfm import DeepFm, DeepFmSettings
from models.rankers.history_deepfm import HistoryDeepFm, HistoryDeepFmSettings
from models.towers.dssm import Dssm
from models.training.config import RankConfig, TowerConfig

Tensors = Mapping[str, paddle.Tensor]


class Ranker(Protocol):
    """A ``paddle.nn.Layer`` that orders candidates. Feeds are by name, the batch first.

    Attributes:
        feeds: what it reads, of ``engine.features.feeds.BUILDERS``.
    """

    feeds: tuple[Feed, ...]

    def fit_statistics(self, feeds: Mapping[str, npt.NDArray[np.generic]]) -> None:
        """What must be known of the training rows before the first step: scales, counts. May do nothing."""

    def forward(self, feeds: Tensors) -> paddle.Tensor:
        """Logits float32 [B]."""

    def loss(self, feeds: Tensors, labels: paddle.Tensor) -> paddle.Tensor:
        """What training makes smaller, one number; labels float32 [B], 1 = taken."""


@dataclass(frozen=True)
class RankerKind:
    """``settings``: a frozen dataclass, the network's hyperparameters; ``make`` gets one of them."""

    make: Callable[[FeatureSchema, Any], Any]  # a Ranker
    settings: type


# A tower model has .user, .item (layers fed as FeatureEncoder.user_tower and .item_tower say) and .loss.
TOWERS: dict[str, Callable[[FeatureSchema, TowerConfig], Any]] = {"dssm": Dssm}
RANKERS: dict[str, RankerKind] = {
    "deepfm": RankerKind(DeepFm, DeepFmSettings),
    "history_deepfm": RankerKind(HistoryDeepFm.of_schema, HistoryDeepFmSettings),
}

# Parameters are named afresh for each model: an optimizer's checkpoint finds its moments by these names, and
# Paddle would else count on through the process.


def make_tower(schema: FeatureSchema, config: TowerConfig) -> Any:
    """The tower model that the configuration names. Raises ValueError."""
    if config.name not in TOWERS:
        raise ValueError(_unknown("tower", config.name, TOWERS))
    with unique_name.guard("tower_"):
        return TOWERS[config.name](schema, config)


def make_ranker(schema: FeatureSchema, config: RankConfig) -> Any:
    """The ``Ranker`` that the configuration names. Raises ValueError."""
    settings = ranker_settings(config)
    with unique_name.guard("ranker_"):
        return RANKERS[config.name].make(schema, settings)


def ranker_settings(config: RankConfig) -> Any:
    """The hyperparameters of the ranker that the configuration names: its own, where the configuration does
    not say otherwise. Raises ValueError."""
    if config.name not in RANKERS:
        raise ValueError(_unknown("ranker", config.name, RANKERS))
    settings = RANKERS[config.name].settings
    known = [field.name for field in fields(settings)]
    if strange := sorted(set(config.settings) - set(known)):
        raise ValueError(f"{config.name} has no setting {strange[0]!r}; it has: {', '.join(known)}")
    return settings(**config.settings)


def _unknown(what: str, name: str, there: Mapping[str, object]) -> str:
    return f"no {what} is called {name!r}; there are: {', '.join(sorted(there))}"
