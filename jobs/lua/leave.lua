-- Removes a worker that holds nothing from the list.
--
-- KEYS: workers, worker_info, running, begun
-- ARGS: worker
-- Returns 1, or 0 when it still holds jobs (its lease will lapse, and they will be rescued).
-- Cost  O(log w) for w workers.
if redis.call('EXISTS', running) == 1 then
  return 0
end
redis.call('ZREM', workers, worker)
redis.call('HDEL', worker_info, worker)
redis.call('DEL', begun)
return 1
