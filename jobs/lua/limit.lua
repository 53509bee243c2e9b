-- Sets the limits of a queue, all at once, and calls somebody: what waited may be allowed now, also because nobody had
-- said before what is.
--
-- KEYS: limits, bucket, lanes, wake, counts
-- ARGS: none; each limit: name, value
--   name  paused, concurrency, rate, rate_ms or burst
-- Returns 1
-- Cost  O(1)
local before = redis.call('HMGET', limits, 'rate', 'rate_ms', 'burst')
redis.call('DEL', limits)
if #ARGV > 0 then
  redis.call('HSET', limits, unpack(ARGV))
end
redis.call('HSET', counts, 'limits_known', 1)
redis.call('HDEL', counts, 'limits_awaited')
local after = redis.call('HMGET', limits, 'rate', 'rate_ms', 'burst')
for at = 1, 3 do
  -- A bucket of another size begins full.
  if before[at] ~= after[at] then
    redis.call('DEL', bucket)
  end
end
if redis.call('EXISTS', lanes) == 1 then
  call_somebody(wake)
end
return 1
