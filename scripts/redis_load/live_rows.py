"""Lua scripts by which a load respects what was written and deleted through the API, also while it runs."""

from __future__ import annotations

# Drops the rows of deleted users. KEYS: the deleted ids, the generation's ids. ARGV: what the rows' keys
# begin with, then ids.
FORGET = """
for i = 2, #ARGV do
  if redis.call('SISMEMBER', KEYS[1], ARGV[i]) == 1 then
    redis.call('DEL', ARGV[1] .. ARGV[i])
    redis.call('ZREM', KEYS[2], ARGV[i])
  end
end
"""

# Removes the original's keys of ids, but of those written through the API. KEYS: the live ids. ARGV: what the
# original's keys end with, then ids.
UNMIRROR = """
for i = 2, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then redis.call('UNLINK', ARGV[i] .. ARGV[1]) end
end
"""

# Copies rows to the original's keys, but of ids written through the API. KEYS: the live ids. ARGV: what the
# rows' keys begin with, what the original's end with, then ids.
MIRROR = """
for i = 3, #ARGV do
  if not redis.call('ZSCORE', KEYS[1], ARGV[i]) then
    redis.call('COPY', ARGV[1] .. ARGV[i], ARGV[i] .. ARGV[2], 'REPLACE')
  end
end
"""

# Lets some rows written through the API give way to the loaded ones; those that the load lacks stay. KEYS:
# the ids that are to give way, the generation's ids, the live ids, the stream of changes or "". ARGV: how
# many, what the live rows' keys begin with, what the loaded rows' do, what the original's keys end with.
GIVE_WAY = """
local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
local changed = {}
for i = 1, #popped, 2 do
  local id = popped[i]
  if redis.call('ZSCORE', KEYS[2], id) then
    redis.call('DEL', ARGV[2] .. id)
    redis.call('ZREM', KEYS[3], id)
    redis.call('COPY', ARGV[3] .. id, id .. ARGV[4], 'REPLACE')
    changed[#changed + 1] = id
  end
end
if KEYS[4] ~= '' and #changed > 0 then redis.call('XADD', KEYS[4], '*', 'ids', cjson.encode(changed)) end
return #popped
"""

# The same for what the API said of availability. KEYS: the ids, the generation's ids, the two sets of what
# the API said, what the load says is unavailable, what is. ARGV: how many.
GIVE_WAY_AVAILABILITY = """
local popped = redis.call('ZPOPMIN', KEYS[1], ARGV[1])
for i = 1, #popped, 2 do
  local id = popped[i]
  if redis.call('ZSCORE', KEYS[2], id) then
    redis.call('SREM', KEYS[3], id)
    redis.call('SREM', KEYS[4], id)
    if redis.call('SISMEMBER', KEYS[5], id) == 1 then redis.call('SADD', KEYS[6], id)
    else redis.call('SREM', KEYS[6], id) end
  end
end
return #popped
"""
