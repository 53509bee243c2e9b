-- Renews a worker's lease and returns what Redis counts as held by it.
--
-- KEYS: workers, worker_info, running, begun
-- ARGS: worker, lease_ms, info
--   info  what the worker reports of itself (JSON)
-- Returns id, attempt for each job that it holds.
-- Cost  O(n) for n jobs held (at most the worker's concurrency and what it has fetched ahead).
redis.call('ZADD', workers, now + lease_ms, worker)
redis.call('HSET', worker_info, worker, info)
redis.call('PEXPIRE', begun, MARKS_KEPT)
return redis.call('HGETALL', running)
