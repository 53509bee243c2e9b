-- Renews a worker's lease and tells what Redis thinks that it holds.
--
-- KEYS  1 workers  2 worker-info  3 running:{worker}  4 begun:{worker}
-- ARGV  1 worker  2 lease in ms  3 what the worker says of itself (JSON)
-- Returns id, attempt for each job that it holds.
-- Cost  O(n) for n jobs held (at most the worker's concurrency and what it has fetched ahead).
redis.call('ZADD', KEYS[1], now + tonumber(ARGV[2]), ARGV[1])
redis.call('HSET', KEYS[2], ARGV[1], ARGV[3])
redis.call('PEXPIRE', KEYS[4], MARKS_KEPT)
return redis.call('HGETALL', KEYS[3])
