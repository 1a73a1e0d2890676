"""The models there are, by the name used in a configuration. A new one is a file and one line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from engine.features import FeatureSchema
from models.paddle import unique_name
from models.rankers.deepfm import DeepFm
from models.towers.dssm import Dssm
from models.training.config import RankConfig, TowerConfig

# A tower model has .user, .item (layers fed as FeatureEncoder.user_tower and .item_tower say) and .loss;
# a ranker has forward (fed as FeatureEncoder.rank says) -> logits, and .loss.
TOWERS: dict[str, Callable[[FeatureSchema, TowerConfig], Any]] = {"dssm": Dssm}
RANKERS: dict[str, Callable[[FeatureSchema, RankConfig], Any]] = {"deepfm": DeepFm}

# Parameters are named afresh for each model: an optimizer's checkpoint finds its moments by these names, and
# Paddle would else count on through the process.


def make_tower(schema: FeatureSchema, config: TowerConfig) -> Any:
    """The tower model that the configuration names. Raises ValueError."""
    with unique_name.guard("tower_"):
        return _find(TOWERS, config.name, "tower")(schema, config)


def make_ranker(schema: FeatureSchema, config: RankConfig) -> Any:
    """The ranker that the configuration names. Raises ValueError."""
    with unique_name.guard("ranker_"):
        return _find(RANKERS, config.name, "ranker")(schema, config)


def _find(models: dict[str, Callable[..., Any]], name: str, what: str) -> Callable[..., Any]:
    if name not in models:
        raise ValueError(f"no {what} is called {name!r}; there are: {', '.join(sorted(models))}")
    return models[name]
