-- Takes a worker that holds nothing off the list.
--
-- KEYS  1 workers  2 worker-info  3 running:{worker}  4 begun:{worker}
-- ARGV  1 worker
-- Returns 1, or 0 when it still holds jobs (its lease will lapse, and they will be recovered).
-- Cost  O(log w) for w workers.
if redis.call('EXISTS', KEYS[3]) == 1 then
  return 0
end
redis.call('ZREM', KEYS[1], ARGV[1])
redis.call('HDEL', KEYS[2], ARGV[1])
redis.call('DEL', KEYS[4])
return 1
