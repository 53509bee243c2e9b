-- Removes ids that cannot be read, and so cannot be run or ended, from the queue.
--
-- KEYS: jobs, lane_of, attempts, running, cancel_requested, counts
-- ARGS: none; each job: id
--   at most 500 jobs
-- Returns how many of them the worker held.
-- Cost  O(n)
local held = redis.call('HDEL', running, unpack(ARGV))
for _, key in ipairs({ jobs, lane_of, attempts, cancel_requested }) do
  redis.call('HDEL', key, unpack(ARGV))
end
if held > 0 then
  redis.call('HINCRBY', counts, 'running', -held)
end
return held
