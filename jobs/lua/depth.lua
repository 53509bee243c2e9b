-- Tells how much there is in a queue; leases are judged by the clock that they were written by.
--
-- KEYS  1 jobs  2 scheduled  3 counts  4 workers
-- Returns { jobs held, scheduled ones, in the hands of workers, called off in a lane, results that came too late, workers
--         whose lease holds }
-- Cost  O(log w) for w workers
local counts = redis.call('HMGET', KEYS[3], 'running', 'called_off', 'stale_results')
local reply = { redis.call('HLEN', KEYS[1]), redis.call('ZCARD', KEYS[2]) }
for at = 1, 3 do
  reply[#reply + 1] = math.max(0, tonumber(counts[at] or 0))
end
reply[#reply + 1] = redis.call('ZCOUNT', KEYS[4], '(' .. now, '+inf')
return reply
