"""What an earlier version of this program left in Redis, brought into the form of this one."""

from __future__ import annotations

import re
from typing import Any

from redis.exceptions import WatchError

from services.common import keys
from services.common.redis import Redis, redis_errors
from services.user.codec import unpack
from services.user.live_events import add_append

_LIVE_ROWS_FORMAT, _FORMAT = b"2", b"3"
_LISTS = "ecrs:e:"
_CHANNEL_LISTS = re.compile(rb"ecrs:[0-9]+:c:")
_SCAN, _PAGE = 5_000, 500

# Makes live rows of rows written through the API before there were such. KEYS: the set of unavailable items,
# the two sets of what the API said of availability, or "" thrice for users. ARGV: what the live rows' keys
# begin with, what the loaded rows' do, what the original's keys end with, then ids.
_ADOPT = """
for i = 4, #ARGV do
  local live, loaded, original = ARGV[1] .. ARGV[i], ARGV[2] .. ARGV[i], ARGV[i] .. ARGV[3]
  if redis.call('EXISTS', live) == 0 and redis.call('COPY', loaded, live) == 0 then
    redis.call('COPY', original, live)
  end
  if KEYS[1] ~= '' then
    local said = redis.call('SISMEMBER', KEYS[2], ARGV[i]) + redis.call('SISMEMBER', KEYS[3], ARGV[i])
    if said == 0 then redis.call('SADD', KEYS[3 - redis.call('SISMEMBER', KEYS[1], ARGV[i])], ARGV[i]) end
  end
end
"""


def upgrade(redis: Redis) -> int:
    """Bring live events from lists by arrival to sets by time, and rows written through the API to keys of
    their own, and delete the channel lists that nobody reads; how many shoppers' lists and rows there were.

    Done once: quick afterwards. May be interrupted and repeated. Raises Unavailable; ValueError names a key
    that holds no events.
    """
    client: Any = redis
    with redis_errors():
        before = client.get(keys.FORMAT)
        if before == _FORMAT:
            return 0
        moved = 0 if before == _LIVE_ROWS_FORMAT else _make_live_rows(client)
        _delete_channel_lists(client)
        client.set(keys.FORMAT, _FORMAT)
        return moved


def _make_live_rows(client: Any) -> int:
    """From the format before live rows; how many lists and rows there were."""
    lists = client.scan_iter(match=f"{_LISTS}*", count=_SCAN, _type="LIST")
    moved = sum(_move_list(client, key) for key in lists)
    current = client.hmget(keys.GENERATION, "users", "items")
    g_users, g_items = ((number or b"0").decode() for number in current)
    users = (keys.live_user(""), keys.user(g_users, ""), keys.original_user(""))
    items = (keys.live_item(""), keys.item(g_items, ""), keys.original_item(""))
    availability = (keys.UNAVAILABLE, keys.LIVE_UNAVAILABLE, keys.LIVE_AVAILABLE)
    moved += _adopt(client, keys.LIVE_USERS, ("", "", ""), users)
    return moved + _adopt(client, keys.LIVE_ITEMS, availability, items)


def _delete_channel_lists(client: Any) -> None:
    found = client.scan_iter(match="ecrs:[0-9]*:c:*", count=_SCAN, _type="STRING")
    for key in filter(_CHANNEL_LISTS.match, found):  # the pattern alone would take ids with ":c:" in them
        client.unlink(key)
    client.hdel(keys.GENERATION, "channels")


def _move_list(client: Any, key: bytes) -> bool:
    """Move one shopper's list of events, all or nothing."""
    user_id = key.decode().removeprefix(_LISTS)
    while True:
        with client.pipeline(transaction=True) as pipeline:
            pipeline.watch(key)
            members = pipeline.lrange(key, 0, -1)
            try:
                events = [event for member in reversed(members) for event in unpack(member)]
            except ValueError as error:
                raise ValueError(f"key {key.decode()}: {error}") from error
            pipeline.multi()
            if events:
                # Their ids are in the set of known ids already.
                add_append(pipeline, user_id, events, once=False)
            pipeline.delete(key)
            try:
                pipeline.execute()
            except WatchError:
                continue
            return bool(events)


def _adopt(client: Any, ids: str, sets: tuple[str, ...], texts: tuple[str, ...]) -> int:
    start, count = "-", 0
    while page := client.zrangebylex(ids, start, "+", 0, _PAGE):
        client.eval(_ADOPT, len(sets), *sets, *texts, *page)
        count += len(page)
        start = f"({page[-1].decode()}"
    return count
