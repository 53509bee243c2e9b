-- Counts what is in a queue; leases are judged by the clock that they were written by.
--
-- KEYS: jobs, scheduled, counts, workers
-- ARGS: none
-- Returns { jobs held, scheduled ones, held by workers, cancelled in a lane, results that came too late, workers
--         whose lease holds }
-- Cost  O(log w) for w workers
local numbers = redis.call('HMGET', counts, 'running', 'called_off', 'stale_results')
local reply = { redis.call('HLEN', jobs), redis.call('ZCARD', scheduled) }
for at = 1, 3 do
  reply[#reply + 1] = math.max(0, tonumber(numbers[at] or 0))
end
reply[#reply + 1] = redis.call('ZCOUNT', workers, '(' .. now, '+inf')
return reply
