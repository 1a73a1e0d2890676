"""The description of the dataset that the shop sells from: title, notice, currency, user features.

Loaders leave it in Redis as JSON (`ecrs:dataset`), with the structure of `dataset.toml`; that file is read
when Redis has nothing.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import redis
import structlog

from engine.errors import Unavailable
from services.common import keys
from services.common.redis import connect
from webapp.redis_health import RedisHealth

if sys.version_info >= (3, 11):
    import tomllib
else:  # pragma: no cover - the same parser under its older name
    import tomli as tomllib


FRESH_S = 5.0  # a load may bring other features, which forms then ask for
RETRY_S = 5.0  # when there was none at all

log = structlog.get_logger("webapp.dataset")


@dataclass(frozen=True)
class UserFeature:
    """A feature of shoppers: kind is categorical, number or multi; `values`: what forms offer, in order."""

    name: str
    kind: str = "categorical"
    display: Mapping[str, str] = field(default_factory=dict)
    values: tuple[str, ...] = ()

    def label(self, language: str = "en") -> str:
        """The name shown."""
        return (
            self.display.get(language) or self.display.get("en") or self.name.replace("_", " ").capitalize()
        )


@dataclass(frozen=True)
class DatasetInfo:
    """What pages show of a dataset; the defaults are for a shop without a description."""

    title: str = "Demo shop"
    synthetic: bool = False
    notice: str = ""
    currency: str = ""
    user_noun: str = "shopper"
    user_features: tuple[UserFeature, ...] = ()

    def feature(self, name: str) -> UserFeature:
        """The feature of this name; a bare one when the dataset does not describe it."""
        return next((f for f in self.user_features if f.name == name), UserFeature(name))


def parse_info(raw: Mapping[str, Any]) -> DatasetInfo:
    """The description out of `dataset.toml`'s structure. Raises ValueError when it has another one."""
    head, features = raw.get("dataset"), raw.get("user_feature", [])
    if not isinstance(head, Mapping) or not isinstance(features, list):
        raise ValueError("has no [dataset] table")
    try:
        return DatasetInfo(
            title=str(head.get("title") or head["name"]),
            synthetic=bool(head.get("synthetic", False)),
            notice=str(head.get("notice", "")),
            currency=str(head.get("currency", "")),
            user_noun=str(head.get("user_noun") or "shopper"),
            user_features=tuple(
                UserFeature(
                    name=str(entry["name"]),
                    kind=str(entry.get("kind", "categorical")),
                    display=dict(entry.get("display", {})),
                    values=tuple(str(value) for value in entry.get("values", ())),
                )
                for entry in features
            ),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"is not a dataset description: {error}") from error


class DatasetSource:
    """Reads the description at most every five seconds."""

    def __init__(self, redis_url: str, toml: Path, health: RedisHealth | None = None) -> None:
        self._redis_url = redis_url
        self._health = health or RedisHealth()
        self._toml = toml
        self._client: redis.Redis | None = None
        self._info = DatasetInfo()
        self._read_again_at = 0.0

    def get(self) -> DatasetInfo:
        """The description: from Redis, else from the file, else the last one known."""
        if time.monotonic() >= self._read_again_at:
            info = self._from_redis() or self._from_file()
            self._info = info or self._info
            self._read_again_at = time.monotonic() + (FRESH_S if info else RETRY_S)
        return self._info

    def _from_redis(self) -> DatasetInfo | None:
        try:
            if self._client is None:
                self._client = connect(self._redis_url)
            with self._health.asking():
                raw = self._client.get(keys.DATASET)
            return parse_info(json.loads(raw)) if isinstance(raw, bytes) else None
        except (redis.RedisError, OSError, ValueError, Unavailable) as error:
            log.warning("dataset.not_in_redis", key=keys.DATASET, error=str(error))
            return None

    def _from_file(self) -> DatasetInfo | None:
        try:
            return parse_info(tomllib.loads(self._toml.read_text(encoding="utf-8")))
        except (OSError, ValueError) as error:  # TOML's own error is a ValueError
            log.warning("dataset.not_in_file", file=str(self._toml), error=str(error))
            return None
