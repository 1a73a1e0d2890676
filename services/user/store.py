"""Users in Redis: profiles, loaded histories, live events."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import structlog

from engine.dataset import Dataset, dataset_of
from engine.features import EventColumns
from services.common import keys
from services.common.generations import LOADING, GenerationReader, Pipeline
from services.common.redis import Redis, ping, redis_errors
from services.user.codec import StoredEvent, unpack, unpack_columns
from services.user.live_events import add_append, add_read, newest_first, newest_first_columns
from services.user.service import Activity, Impression, Row, UserSchema

log = structlog.get_logger()

IMPRESSIONS_LIMIT = 1_000_000
_SCHEMA_TTL_S = 5.0
_NO_EVENTS = EventColumns.of(())


class RedisUserStore:
    """Implements `services.user.service.UserStore`; keys of `services.common.keys`. Raises Unavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._reader = GenerationReader(redis)
        self._schema: tuple[float, UserSchema | None] = (0.0, None)

    def check(self) -> None:
        """Raises Unavailable if Redis does not answer."""
        ping(self._redis)

    def close(self) -> None:
        """End the connections."""
        self._redis.close()

    def schema(self) -> UserSchema | None:
        """The loaded dataset's user features; None when no dataset is loaded. Cached for seconds."""
        read_at, schema = self._schema
        if not read_at or time.monotonic() - read_at > _SCHEMA_TTL_S:
            with redis_errors():
                raw = self._redis.get(keys.DATASET)
            schema = _schema_of(dataset_of(json.loads(raw))) if isinstance(raw, bytes) else None
            self._schema = (time.monotonic(), schema)
        return schema

    def rows(self, user_ids: Sequence[str]) -> list[Row | None]:
        """The stored row of each id, None where there is none."""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            g = generation("users")
            pipeline.mget(
                [keys.live_user(user_id) for user_id in user_ids]
                + [keys.user(g, user_id) for user_id in user_ids]
                + [keys.original_user(user_id) for user_id in user_ids]
            )

        (found,) = self._reader.read(ask)
        n = len(user_ids)
        return [_row(found[at] or found[n + at] or found[2 * n + at], user_ids[at]) for at in range(n)]

    def activity(self, user_id: str) -> Activity[list[StoredEvent]]:
        """Row, loaded history and live events of one user, in one round trip."""
        row, history, acts, views = self._read(user_id)
        return Activity(
            row=_row(row, user_id),
            history=_unpack(history, user_id) if history else [],
            live=newest_first(acts, views, lambda blob: _unpack(blob, user_id)),
        )

    def columns(self, user_id: str) -> Activity[EventColumns]:
        """The same with events as columns: ids, types and times only, at a tenth of the cost."""
        row, history, acts, views = self._read(user_id)
        loaded = _NO_EVENTS
        if history:
            try:
                loaded = unpack_columns(history)
            except ValueError as error:
                _unreadable(user_id, error)
        live = newest_first_columns(acts, views, lambda error: _unreadable(user_id, error))
        return Activity(_row(row, user_id), loaded, live)

    def _read(self, user_id: str) -> tuple[bytes | None, bytes | None, list[bytes], list[bytes]]:
        """Row, packed history and live members of both kinds."""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            pipeline.mget(
                keys.live_user(user_id),
                keys.user(generation("users"), user_id),
                keys.original_user(user_id),
                keys.history(generation("histories"), user_id),
            )
            add_read(pipeline, user_id)

        (row, loaded, original, history), acts, views = self._reader.read(ask)
        return row or loaded or original, history, acts, views

    def write(self, rows: Mapping[str, Row]) -> None:
        """Create or replace rows, all or none; under the original's keys too. No load undoes it."""
        values = {
            user_id: json.dumps({"user_id": user_id, **row}, ensure_ascii=False)
            for user_id, row in rows.items()
        }

        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.mset({keys.live_user(user_id): value for user_id, value in values.items()})
            pipeline.mset({keys.original_user(user_id): value for user_id, value in values.items()})
            pipeline.zadd(keys.LIVE_USERS, dict.fromkeys(values, 0))
            pipeline.zrem(keys.overwritten("users"), *values)
            pipeline.execute()

    def ids_after(self, user_id: str, count: int) -> list[str]:
        """The next `count` user ids in byte order after `user_id` ("" for the first)."""
        start = f"({user_id}" if user_id else "-"

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            for key in (keys.user_ids(generation("users")), keys.LIVE_USERS):
                pipeline.zrangebylex(key, start, "+", 0, count)

        loaded, live = self._reader.read(ask)
        return [raw.decode() for raw in sorted({*loaded, *live})[:count]]

    def append(
        self, events: Mapping[str, Sequence[StoredEvent]], impressions: Sequence[Impression] = ()
    ) -> int:
        """Add live events by user, in order of arrival, and impressions, all or none; how many were new."""
        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            for user_id, of_user in events.items():
                add_append(pipeline, user_id, of_user)
            for shown in impressions:
                pipeline.xadd(
                    keys.IMPRESSIONS,
                    {
                        "user": shown.user_id,
                        "item": shown.item_id,
                        "token": shown.attribution_token,
                        "at": shown.at_ms,
                    },
                    maxlen=IMPRESSIONS_LIMIT,
                    approximate=True,
                )
            # A script answers with how many it stored, XADD with the name of the one entry.
            return sum(done if isinstance(done, int) else 1 for done in pipeline.execute())

    def delete(self, user_id: str) -> bool:
        """Forget a user; whether anything was stored. No load brings them back, not even one that runs."""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            loading = generation(LOADING)
            pipeline.delete(
                keys.live_user(user_id),
                keys.user(generation("users"), user_id),
                keys.original_user(user_id),
                keys.history(generation("histories"), user_id),
                keys.live_acts(user_id),
                keys.live_views(user_id),
                keys.live_event_ids(user_id),
            )
            pipeline.sadd(keys.DELETED_USERS, user_id)
            pipeline.delete(keys.user(loading, user_id), keys.history(loading, user_id))
            for g in {generation("users"), loading}:
                pipeline.zrem(keys.user_ids(g), user_id)
            pipeline.zrem(keys.LIVE_USERS, user_id)
            pipeline.zrem(keys.overwritten("users"), user_id)

        return bool(self._reader.erase(ask)[0])


def _row(raw: bytes | None, user_id: str) -> Row | None:
    if raw is None:
        return None
    try:
        values: dict[str, Any] = json.loads(raw)
        return {
            name: value if isinstance(value, str) else [str(text) for text in value]
            for name, value in values.items()
            if name != "user_id" and isinstance(value, str | list)
        }
    except (ValueError, AttributeError):
        # Others may write the original's keys: one bad row must not fail the ninety-nine beside it.
        log.warning("unreadable_user", user_id=user_id)
        return None


def _unpack(blob: bytes, user_id: str) -> list[StoredEvent]:
    try:
        return unpack(blob)
    except ValueError as error:
        _unreadable(user_id, error)
        return []


def _unreadable(user_id: str, error: ValueError) -> None:
    log.warning("unreadable_events", user_id=user_id, error=str(error))


def _schema_of(dataset: Dataset) -> UserSchema:
    features = dataset.user_features
    return UserSchema(
        names=frozenset(feature.name for feature in features),
        numbers=frozenset(feature.name for feature in features if feature.kind == "number"),
    )
