-- Keeps outputs of a pure function for later jobs of the same input; the oldest go when they take too much room.
--
-- KEYS: memo, memo_large, memo_written, memo_bytes
-- ARGS: most_bytes; each output: memo_key, shown, whole
--   shown  the value as it is shown
--   whole  the whole value when that is longer, else empty
--   at most 500 outputs
-- Returns the number of values that were dropped to make room (at most 500 a call).
-- Cost  O(n log m) for n values written among m.
local MOST_DROPPED = 500

local function size_of(key)
  return redis.call('HSTRLEN', memo, key) + redis.call('HSTRLEN', memo_large, key)
end

local total = tonumber(redis.call('GET', memo_bytes) or 0)
for at = FIRST, #ARGV, EACH do
  local key = ARGV[at + MEMO_KEY]
  total = total - size_of(key)
  redis.call('HSET', memo, key, ARGV[at + SHOWN])
  if ARGV[at + WHOLE] == '' then
    redis.call('HDEL', memo_large, key)
  else
    redis.call('HSET', memo_large, key, ARGV[at + WHOLE])
  end
  redis.call('ZADD', memo_written, now, key)
  total = total + size_of(key)
end

local dropped = 0
while total > tonumber(most_bytes) and dropped < MOST_DROPPED do
  local oldest = redis.call('ZPOPMIN', memo_written)[1]
  if not oldest then
    break
  end
  total = total - size_of(oldest)
  redis.call('HDEL', memo, oldest)
  redis.call('HDEL', memo_large, oldest)
  dropped = dropped + 1
end
redis.call('SET', memo_bytes, total)
return dropped
