-- Puts another envelope in the place of a waiting job's, such as one with another input. Its place and its time stay.
--
-- KEYS  1 jobs  2 workers, then running:{worker} for each worker
-- ARGV  1 number of workers w, then their names in the order of their keys, then id, envelope
-- Returns 0 not here, 1 done, 2 it runs, or -1 when another worker has come: call again
-- Cost  O(w) for w workers.
local jobs, workers = KEYS[1], KEYS[2]
local NOT_HERE, DONE, RUNS, CALL_AGAIN = 0, 1, 2, -1

local count = tonumber(ARGV[1])
local known = {}
for at = 1, count do
  known[ARGV[1 + at]] = true
end
for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if not known[worker] then
    return CALL_AGAIN
  end
end

local id, envelope = ARGV[2 + count], ARGV[3 + count]
local before = redis.call('HGET', jobs, id)
-- An empty one was called off.
if not before or before == '' then
  return NOT_HERE
end
for at = 3, #KEYS do
  if redis.call('HEXISTS', KEYS[at], id) == 1 then
    return RUNS
  end
end
redis.call('HSET', jobs, id, envelope)
return DONE
