"""Live events in Redis: two sorted sets of a user, by time, so that browsing pushes out nothing else.

A member is the event's number, 8 bytes, and the packed event; the score is its time in ms. Numbers grow by
one with each event of any user: they tell equal events apart, order those of the same time by arrival, and
say what has been exported. Nothing is removed before that.
"""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from engine.features import EventColumns
from services.common import keys
from services.common.redis import Redis, redis_errors
from services.user.codec import BROWSING, StoredEvent, item_type_time, pack, unpack

LIVE_LIMIT = 1000
"""Newest events of each of the two sets that are read, and kept when they are exported."""
EVENT_IDS_LIMIT = 1000
EVENT_IDS_MS = 7 * 86_400_000
"""An event id is remembered for so long, and while it is among the newest `EVENT_IDS_LIMIT` of its user."""

_NUMBER_BYTES = 8
_TRIM_AT_ONCE = 1_000

# KEYS: the user's events but browsing, browsing, event ids; the last number, the users to export. ARGV: the
# user, how many ids are kept, for how many ms; then event id, 1 if browsing else 0, time and packed event of
# each. An id that is known is not stored again; the answer is how many were stored.
_APPEND = """
local now = redis.call('TIME')
local now_ms = now[1] * 1000 + math.floor(now[2] / 1000)
local stored, ids = 0, false
for i = 4, #ARGV, 4 do
  local new = true
  if ARGV[i] ~= '' then
    ids = true
    new = redis.call('ZADD', KEYS[3], 'NX', now_ms, ARGV[i]) == 1
  end
  if new then
    local number = struct.pack('>I8', redis.call('INCR', KEYS[4]))
    redis.call('ZADD', KEYS[1 + ARGV[i + 1]], ARGV[i + 2], number .. ARGV[i + 3])
    stored = stored + 1
  end
end
if stored > 0 then redis.call('SADD', KEYS[5], ARGV[1]) end
if ids then
  local over = redis.call('ZCARD', KEYS[3]) - ARGV[2]
  local old = redis.call('ZCOUNT', KEYS[3], '-inf', '(' .. string.format('%d', now_ms - ARGV[3]))
  local gone = math.min(over, old)
  if gone > 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, gone - 1) end
end
return stored
"""

# Removes exported events beyond the newest ones. KEYS: a set of events. ARGV: how many of the newest stay,
# the number of the last exported event, how many to look at. The answer is how many were removed.
_TRIM = """
local over = redis.call('ZCARD', KEYS[1]) - ARGV[1]
if over <= 0 then return 0 end
local removed, exported = 0, tonumber(ARGV[2])
for _, member in ipairs(redis.call('ZRANGE', KEYS[1], 0, math.min(over, ARGV[3]) - 1)) do
  if struct.unpack('>I8', member) <= exported then
    removed = removed + redis.call('ZREM', KEYS[1], member)
  end
end
return removed
"""


def add_append(pipeline: Any, user_id: str, events: Sequence[StoredEvent], *, once: bool = True) -> None:
    """Add the command that stores a user's events, oldest arrival first; it answers how many were new.

    Args:
        once: whether an event whose id is known is left out.
    """
    arguments: list[str | bytes | int] = [user_id, EVENT_IDS_LIMIT, EVENT_IDS_MS]
    for event in events:
        browsing = int(event.type in BROWSING)
        arguments += [event.event_id if once else "", browsing, event.at_ms, pack([event])]
    of_user = (keys.live_acts(user_id), keys.live_views(user_id), keys.live_event_ids(user_id))
    pipeline.eval(_APPEND, 5, *of_user, keys.EVENTS_LAST, keys.EVENTS_TO_EXPORT, *arguments)


def add_read(pipeline: Any, user_id: str) -> None:
    """Add the two commands whose answers `newest_first` takes."""
    for key in (keys.live_acts(user_id), keys.live_views(user_id)):
        pipeline.zrevrange(key, 0, LIVE_LIMIT - 1)


def newest_first(
    acts: Sequence[bytes], views: Sequence[bytes], decode: Callable[[bytes], list[StoredEvent]] = unpack
) -> list[StoredEvent]:
    """Members of both sets as events, newest first; of the same time the one that came last first."""
    found = [(event.at_ms, member[:_NUMBER_BYTES], event) for member in (*acts, *views)
             for event in decode(member[_NUMBER_BYTES:])]  # fmt: skip
    if acts and views:
        found.sort(reverse=True)
    return [event for _, _, event in found]


def newest_first_columns(
    acts: Sequence[bytes], views: Sequence[bytes], unreadable: Callable[[ValueError], object]
) -> EventColumns:
    """The same as columns, without values and tokens.

    Args:
        unreadable: told why a member is left out.
    """
    ids: list[str] = []
    types, at, numbers = bytearray(), array("q"), bytearray()
    for member in (*acts, *views):
        try:
            item_id, code, time = item_type_time(member, _NUMBER_BYTES)
        except ValueError as error:
            unreadable(error)
            continue
        ids.append(item_id)
        types.append(code)
        at.append(time)
        numbers += member[:_NUMBER_BYTES]
    found = EventColumns(ids, np.frombuffer(types, np.int8), np.frombuffer(at, np.int64))
    if not acts or not views:
        return found
    return found.take(np.lexsort((np.frombuffer(numbers, ">u8"), found.at))[::-1])


def numbered(member: bytes) -> tuple[int, StoredEvent]:
    """Number and event of a member. ValueError for anything else."""
    (event,) = unpack(member[_NUMBER_BYTES:])
    return int.from_bytes(member[:_NUMBER_BYTES], "big"), event


def trim(redis: Redis, user_ids: Sequence[str], exported: int) -> int:
    """Remove these users' events that no list reads any more and that are exported, up to that number."""
    client: Any = redis
    waiting = [key for name in user_ids for key in (keys.live_acts(name), keys.live_views(name))]
    removed = 0
    while waiting:
        with redis_errors(), client.pipeline(transaction=False) as pipeline:
            for key in waiting:
                pipeline.eval(_TRIM, 1, key, LIVE_LIMIT, exported, _TRIM_AT_ONCE)
            counts = pipeline.execute()
        removed += sum(counts)
        waiting = [key for key, count in zip(waiting, counts, strict=True) if count == _TRIM_AT_ONCE]
    return removed


def unexported(redis: Redis) -> int:
    """About how many live events are in Redis only."""
    client: Any = redis
    with redis_errors():
        last, exported = client.mget(keys.EVENTS_LAST, keys.EVENTS_EXPORTED)
    return int(last or 0) - int(exported or 0)
