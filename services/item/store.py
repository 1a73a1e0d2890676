"""Items in Redis: the catalogue, and the set of what cannot be bought."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import structlog

from engine.types import Item
from services.common import keys
from services.common.generations import GenerationReader, Pipeline
from services.common.redis import Redis, ping, redis_errors
from services.item.codec import item_from_json, item_to_json
from services.item.search.feed import Changes

log = structlog.get_logger()

_REMEMBERED = 10_000  # writes that the stream of changes keeps, at least
_BEGINNING = "0-0"


class RedisItemStore:
    """Implements `services.item.service.ItemStore`; keys of `services.common.keys`. Raises Unavailable."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis
        self._reader = GenerationReader(redis)

    def check(self) -> None:
        """Raises Unavailable if Redis does not answer."""
        ping(self._redis)

    def close(self) -> None:
        """End the connections."""
        self._redis.close()

    def items(self, item_ids: Sequence[str]) -> list[Item | None]:
        """The item of each id, None where there is none; one round trip, one generation."""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            g = generation("items")
            pipeline.mget(
                [keys.live_item(item_id) for item_id in item_ids]
                + [keys.item(g, item_id) for item_id in item_ids]
                + [keys.original_item(item_id) for item_id in item_ids]
            )
            pipeline.smismember(keys.UNAVAILABLE, list(item_ids))

        found, unavailable = self._reader.read(ask)
        n = len(item_ids)
        return [
            _item(found[at] or found[n + at] or found[2 * n + at], item_id, available=not unavailable[at])
            for at, item_id in enumerate(item_ids)
        ]

    def unavailable(self, item_ids: Sequence[str]) -> list[bool]:
        """Whether each item cannot be bought now."""
        with redis_errors():
            answer: Any = self._redis.smismember(keys.UNAVAILABLE, list(item_ids))
        return [bool(gone) for gone in answer]

    def write(self, items: Sequence[Item]) -> None:
        """Create or replace items, all or none; under the original's keys too. No load undoes it."""
        values = {item.item_id: item_to_json(item) for item in items}
        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            pipeline.mset({keys.live_item(item_id): value for item_id, value in values.items()})
            pipeline.mset({keys.original_item(item_id): value for item_id, value in values.items()})
            pipeline.zadd(keys.LIVE_ITEMS, dict.fromkeys(values, 0))
            pipeline.zrem(keys.overwritten("items"), *values)
            pipeline.xadd(keys.CHANGED_ITEMS, {"ids": json.dumps(list(values))}, maxlen=_REMEMBERED)
            _decide(pipeline, [item.item_id for item in items if item.available], available=True)
            _decide(pipeline, [item.item_id for item in items if not item.available], available=False)
            pipeline.execute()

    def set_available(self, item_ids: Sequence[str], available: bool) -> list[bool]:
        """Mark the stored ones among `item_ids`; which are stored. No load undoes it."""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            g = generation("items")
            for item_id in item_ids:
                pipeline.exists(keys.live_item(item_id), keys.item(g, item_id), keys.original_item(item_id))

        stored = [count > 0 for count in self._reader.read(ask)]
        marked = [item_id for item_id, is_stored in zip(item_ids, stored, strict=True) if is_stored]
        with redis_errors(), self._redis.pipeline(transaction=True) as pipeline:
            _decide(pipeline, marked, available=available)
            pipeline.execute()
        return stored

    def changes(self, cursor: str) -> Changes:
        """What was written after `cursor`, "" for a cursor to begin with; and what cannot be bought now."""
        seen = ""

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            nonlocal seen
            seen = generation("items")
            pipeline.smembers(keys.UNAVAILABLE)
            if cursor:
                pipeline.xrange(keys.CHANGED_ITEMS, min=cursor)
            else:
                pipeline.xrevrange(keys.CHANGED_ITEMS, count=1)

        unavailable, entries = self._reader.read(ask)
        last = entries[-1][0].decode() if entries else cursor or _BEGINNING
        gone = frozenset(raw.decode() for raw in unavailable)
        if not cursor:
            return Changes(seen, last, (), gone)
        known = bool(entries) and entries[0][0].decode() == cursor  # then nothing between was dropped
        complete = known or (cursor == _BEGINNING and len(entries) < _REMEMBERED)
        return Changes(seen, last, tuple(_written(entries[1:] if known else entries)), gone, complete)

    def written(self, cursor: str) -> tuple[str, list[str]]:
        """A cursor, and the ids of the items written through this store after `cursor`, maybe some earlier
        ones and some twice; of all that ever were for "", and where the stream of changes no longer goes back
        so far."""
        with redis_errors():
            entries: Any = self._redis.xrange(keys.CHANGED_ITEMS, min=cursor) if cursor else []
            if entries and entries[0][0].decode() == cursor:  # nothing between was dropped
                return entries[-1][0].decode(), _written(entries[1:])
            with self._redis.pipeline(transaction=False) as pipeline:
                # The cursor first: what is written between the two is told twice, not never.
                pipeline.xrevrange(keys.CHANGED_ITEMS, count=1)
                pipeline.zrange(keys.LIVE_ITEMS, 0, -1)
                newest, live = pipeline.execute()
        return newest[0][0].decode() if newest else "", [raw.decode() for raw in live]

    def ids_after(self, item_id: str, count: int) -> list[str]:
        """The next `count` item ids in byte order after `item_id` ("" for the first)."""
        start = f"({item_id}" if item_id else "-"

        def ask(pipeline: Pipeline, generation: Callable[[str], str]) -> None:
            for key in (keys.item_ids(generation("items")), keys.LIVE_ITEMS):
                pipeline.zrangebylex(key, start, "+", 0, count)

        loaded, live = self._reader.read(ask)
        return [raw.decode() for raw in sorted({*loaded, *live})[:count]]


def _decide(pipeline: Pipeline, item_ids: Sequence[str], *, available: bool) -> None:
    """Note what the API says of these items' availability, as it is now and for every load to come."""
    if not item_ids:
        return
    decided, undecided = keys.LIVE_UNAVAILABLE, keys.LIVE_AVAILABLE
    if available:
        decided, undecided = undecided, decided
    pipeline.sadd(decided, *item_ids)
    pipeline.srem(undecided, *item_ids)
    pipeline.zrem(keys.overwritten("availability"), *item_ids)
    (pipeline.srem if available else pipeline.sadd)(keys.UNAVAILABLE, *item_ids)


def _written(entries: Iterable[tuple[bytes, Mapping[bytes, bytes]]]) -> list[str]:
    return [item_id for _, entry in entries for item_id in json.loads(entry[b"ids"])]


def _item(raw: bytes | None, item_id: str, *, available: bool) -> Item | None:
    if raw is None:
        return None
    try:
        return item_from_json(item_id, raw, available=available)
    except (ValueError, TypeError) as error:
        # Others may write the original's keys: one bad row must not fail the ninety-nine beside it.
        log.warning("unreadable_item", item_id=item_id, error=str(error))
        return None
