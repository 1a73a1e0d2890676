"""`dataset.toml`: what a dataset is called, which events count, which features its users and items have.

The one reader: preparation checks a file more strictly first (`data/dataset.py`), everybody else reads here.
The same structure is kept in Redis as JSON (`ecrs:dataset`).
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser under its older name
    import tomli as tomllib

DEFAULT_BUCKETS = 64


@dataclass(frozen=True)
class Feature:
    """One column that models may use and pages may show."""

    name: str
    kind: str = "categorical"
    """categorical, number or multi."""
    display: Mapping[str, str] = field(default_factory=dict)
    """Language code to the name shown."""
    values: tuple[str, ...] = ()
    """What forms offer, in this order; empty: anything."""
    buckets: int = DEFAULT_BUCKETS
    """Hash buckets (categorical, multi), at least."""
    boundaries: tuple[float, ...] = ()
    """Ascending limits of a number's buckets; empty: chosen from the data."""

    def label(self, language: str = "en") -> str:
        """The name shown."""
        shown = self.display.get(language) or self.display.get("en")
        return shown or self.name.replace("_", " ").capitalize()


@dataclass(frozen=True)
class Dataset:
    """The content of a `dataset.toml`."""

    name: str
    title: str
    positive: tuple[str, ...] = ("purchase",)
    """The event types that a model learns to predict."""
    synthetic: bool = False
    notice: str = ""
    currency: str = ""
    user_noun: str = "user"
    weights: Mapping[str, float] = field(default_factory=dict)
    """By event type, for popularity."""
    user_features: tuple[Feature, ...] = ()
    item_features: tuple[Feature, ...] = ()

    def weight(self, event_type: str) -> float:
        """How much one event of this type counts for popularity."""
        return self.weights.get(event_type, 1.0)

    def user_feature(self, name: str) -> Feature:
        """The user feature of this name; a bare one where the dataset does not describe it."""
        return next((one for one in self.user_features if one.name == name), Feature(name))


def read_dataset(file: Path) -> Dataset:
    """The dataset that a file describes. Raises OSError; ValueError if it is no description."""
    return dataset_from_toml(file.read_text("utf-8"))


def dataset_from_toml(text: str) -> Dataset:
    """The dataset that a TOML text describes. Raises ValueError (as TOML's own error is)."""
    return dataset_of(tomllib.loads(text))


def dataset_of(raw: Mapping[str, Any]) -> Dataset:
    """The dataset that a parsed description describes. Raises ValueError for another structure."""
    try:
        head, events = raw["dataset"], raw.get("events", {})
        return Dataset(
            name=str(head["name"]),
            title=str(head.get("title") or head["name"]),
            positive=tuple(str(kind) for kind in events.get("positive", Dataset.positive)),
            synthetic=bool(head.get("synthetic", False)),
            notice=str(head.get("notice", "")),
            currency=str(head.get("currency", "")),
            user_noun=str(head.get("user_noun") or Dataset.user_noun),
            weights={str(kind): float(weight) for kind, weight in events.get("weights", {}).items()},
            user_features=tuple(map(feature_of, raw.get("user_feature", ()))),
            item_features=tuple(map(feature_of, raw.get("item_feature", ()))),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is not a dataset description: {type(error).__name__}: {error}") from error


def feature_of(raw: Mapping[str, Any]) -> Feature:
    """One ``[[user_feature]]`` or ``[[item_feature]]``."""
    return Feature(
        name=str(raw["name"]),
        kind=str(raw.get("kind", "categorical")),
        display={str(language): str(name) for language, name in raw.get("display", {}).items()},
        values=tuple(map(str, raw.get("values", ()))),
        buckets=int(raw.get("buckets", DEFAULT_BUCKETS)),
        boundaries=tuple(map(float, raw.get("boundaries", ()))),
    )
