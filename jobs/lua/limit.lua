-- Sets the limits of a queue, all at once, and wakes a worker: what waited may be allowed now.
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
  notify(wake)
end
return 1
