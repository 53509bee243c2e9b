-- Removes the ids of cancelled jobs from their lanes, so that these jobs can be pushed again at once. Without it an id
-- stays known until a fetch comes to it, which in a paused queue may be never.
--
-- KEYS: jobs, waiting, lanes, lane_of, attempts, counts
-- ARGS: most_taken; each job: id
--   most_taken  how many to take out at most
--   at most 500 jobs
-- Returns how many were taken out; as many as may be: call again
-- Cost  O(n) for n ids, and O(m) for each that is taken out of a lane of m. Lanes are no longer than what the API hands
--       over to Redis.
local most = tonumber(most_taken)
local forgotten = 0
local ids = { unpack(ARGV, FIRST) }
local envelopes = redis.call('HMGET', jobs, unpack(ids))
for at, id in ipairs(ids) do
  -- The same id may be named twice.
  if envelopes[at] == '' and forgotten < most and redis.call('HDEL', jobs, id) == 1 then
    local lane = redis.call('HGET', lane_of, id) or STANDARD_LANE
    redis.call('LREM', waiting .. lane, 1, id)
    if redis.call('EXISTS', waiting .. lane) == 0 then
      redis.call('ZREM', lanes, lane)
    end
    redis.call('HDEL', lane_of, id)
    redis.call('HDEL', attempts, id)
    forgotten = forgotten + 1
  end
end
if forgotten > 0 then
  redis.call('HINCRBY', counts, 'called_off', -forgotten)
end
return forgotten
