-- Puts another envelope in the place of a waiting job's, such as one with another input. Its place and its time stay.
--
-- KEYS: jobs, workers; each worker: running
-- ARGS: worker_names, id, envelope
--   worker_names  a JSON array, in the order of their keys
-- Returns 0 not here, 1 done, 2 it runs, or -1 when a worker is missing in the list: read it and call again
-- Cost  O(w) for w workers.
local NOT_HERE, DONE, RUNS, CALL_AGAIN = 0, 1, 2, -1

local known = {}
for _, worker in ipairs(cjson.decode(worker_names)) do
  known[worker] = true
end
for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if not known[worker] then
    return CALL_AGAIN
  end
end

local before = redis.call('HGET', jobs, id)
-- An empty one was cancelled.
if not before or before == '' then
  return NOT_HERE
end
for at = FIRST_KEY, #KEYS do
  if redis.call('HEXISTS', KEYS[at], id) == 1 then
    return RUNS
  end
end
redis.call('HSET', jobs, id, envelope)
return DONE
