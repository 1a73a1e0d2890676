"""Small conversions of values that need no generated code."""

from __future__ import annotations

import time
from collections.abc import Mapping

from engine.features import canonical
from engine.types import AttributeValue


def now_ms() -> int:
    """The wall clock in milliseconds since the epoch."""
    return time.time_ns() // 1_000_000


def profile_features(attributes: Mapping[str, AttributeValue]) -> dict[str, str | list[str]]:
    """Attributes as `UserContext.profile` and Redis hold them: numbers as text, several texts as a list."""
    features: dict[str, str | list[str]] = {}
    for name, value in attributes.items():
        if isinstance(value, str):
            features[name] = value
        else:
            features[name] = list(value) if isinstance(value, tuple) else canonical(value)
    return features
