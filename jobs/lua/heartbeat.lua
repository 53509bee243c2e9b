-- Renews a worker's lease and tells what Redis thinks that it holds.
--
-- KEYS: workers, worker_info, running, begun
-- ARGS: worker, lease_ms, info
--   info  what the worker says of itself (JSON)
-- Returns id, attempt for each job that it holds.
-- Cost  O(n) for n jobs held (at most the worker's concurrency and what it has fetched ahead).
redis.call('ZADD', workers, now + lease_ms, worker)
redis.call('HSET', worker_info, worker, info)
redis.call('PEXPIRE', begun, MARKS_KEPT)
return redis.call('HGETALL', running)
