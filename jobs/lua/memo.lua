-- Keeps outputs of a pure function for later jobs of the same input; the oldest go when they take too much room.
--
-- KEYS  1 memo:{function}  2 its large values  3 when each was written  4 the bytes it holds
-- ARGV  1 bytes it may hold, then three for each value: key, value as it is shown, whole value when that is longer
--       (else empty); at most 500 values
-- Returns the number of values that were dropped to make room (at most 500 a call).
-- Cost  O(n log m) for n values written among m.
local memo, large, written, bytes = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local most_bytes = tonumber(ARGV[1])
local MOST_DROPPED = 500

local function size_of(key)
  return redis.call('HSTRLEN', memo, key) + redis.call('HSTRLEN', large, key)
end

local total = tonumber(redis.call('GET', bytes) or 0)
for at = 2, #ARGV, 3 do
  local key = ARGV[at]
  total = total - size_of(key)
  redis.call('HSET', memo, key, ARGV[at + 1])
  if ARGV[at + 2] == '' then
    redis.call('HDEL', large, key)
  else
    redis.call('HSET', large, key, ARGV[at + 2])
  end
  redis.call('ZADD', written, now, key)
  total = total + size_of(key)
end

local dropped = 0
while total > most_bytes and dropped < MOST_DROPPED do
  local oldest = redis.call('ZPOPMIN', written)[1]
  if not oldest then
    break
  end
  total = total - size_of(oldest)
  redis.call('HDEL', memo, oldest)
  redis.call('HDEL', large, oldest)
  dropped = dropped + 1
end
redis.call('SET', bytes, total)
return dropped
