-- Takes ids that nobody can read, and so nobody can run or end, out of the queue.
--
-- KEYS  1 jobs  2 lane-of  3 attempts  4 running:{worker}  5 cancelling  6 counts
-- ARGV  ids; at most 500 jobs
-- Returns how many of them the worker held.
-- Cost  O(n)
local running, counts = KEYS[4], KEYS[6]
local held = redis.call('HDEL', running, unpack(ARGV))
for _, key in ipairs({ KEYS[1], KEYS[2], KEYS[3], KEYS[5] }) do
  redis.call('HDEL', key, unpack(ARGV))
end
if held > 0 then
  redis.call('HINCRBY', counts, 'running', -held)
end
return held
