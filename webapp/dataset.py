"""The description of the dataset that the shop sells from: title, notice, currency, user features.

Loaders leave it in Redis as JSON (`ecrs:dataset`); `dataset.toml` is read when Redis has nothing.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

import redis
import structlog

from engine.dataset import Dataset, dataset_of, read_dataset
from engine.errors import Unavailable
from services.common import keys
from services.common.redis import connect
from webapp.redis_health import RedisHealth

FRESH_S = 5.0  # a load may bring other features, which forms then ask for
RETRY_S = 5.0  # when there was none at all

log = structlog.get_logger("webapp.dataset")


NO_DATASET = Dataset("", "Demo shop", user_noun="shopper")
"""What is shown while no description can be read."""


class DatasetSource:
    """Reads the description at most every five seconds."""

    def __init__(self, redis_url: str, toml: Path, health: RedisHealth | None = None) -> None:
        self._redis_url = redis_url
        self._health = health or RedisHealth()
        self._toml = toml
        self._client: redis.Redis | None = None
        self._info = NO_DATASET
        self._read_again_at = 0.0

    def get(self) -> Dataset:
        """The description: from Redis, else from the file, else the last one known."""
        if time.monotonic() >= self._read_again_at:
            info = self._from_redis() or self._from_file()
            self._info = info or self._info
            self._read_again_at = time.monotonic() + (FRESH_S if info else RETRY_S)
        return self._info

    def _from_redis(self) -> Dataset | None:
        try:
            if self._client is None:
                self._client = connect(self._redis_url)
            with self._health.asking():
                raw = self._client.get(keys.DATASET)
            return dataset_of(json.loads(raw)) if isinstance(raw, bytes) else None
        except (redis.RedisError, OSError, ValueError, Unavailable) as error:
            log.warning("dataset.not_in_redis", key=keys.DATASET, error=str(error))
            return None

    def _from_file(self) -> Dataset | None:
        try:
            return read_dataset(self._toml)
        except (OSError, ValueError) as error:  # TOML's own error is a ValueError
            log.warning("dataset.not_in_file", file=str(self._toml), error=str(error))
            return None
