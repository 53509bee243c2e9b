-- Gives a worker the next jobs of a queue, each with its attempt number, and renews the worker's lease.
-- Jobs whose time has come are moved to the end of the waiting ones first.
--
-- KEYS  1 jobs  2 waiting  3 scheduled  4 attempts  5 events  6 wake  7 workers  8 running:{worker}  9 cancelling
-- ARGV  1 worker  2 how many at most (<= 500)  3 lease in ms
-- Returns { time in ms until the next scheduled job is due or -1, then id, attempt, envelope for each job }
-- Cost  O(n + p log m) for n jobs fetched and p (<= 500) of m scheduled ones promoted.
local jobs, waiting, scheduled, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local events, wake, workers, running, cancelling = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local worker, most, lease = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local MOST_PROMOTED = 500
-- Ids of cancelled jobs are still in the list; this many batches of nothing else are skipped in one call.
local MOST_ROUNDS = 4

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local promoted = redis.call('ZRANGEBYSCORE', scheduled, '-inf', now, 'LIMIT', 0, MOST_PROMOTED)
if #promoted > 0 then
  redis.call('ZREM', scheduled, unpack(promoted))
  redis.call('RPUSH', waiting, unpack(promoted))
  redis.call('XADD', events, '*', 't', 'promoted', 'd', table.concat(promoted, ' '))
end

local marks = redis.call('EXISTS', cancelling) == 1
local reply, held, started, over, cancelled = { -1 }, {}, {}, {}, {}
for _ = 1, MOST_ROUNDS do
  local ids = redis.call('LPOP', waiting, most)
  if not ids or #ids == 0 then
    break
  end
  local envelopes = redis.call('HMGET', jobs, unpack(ids))
  local made = redis.call('EXISTS', attempts) == 1 and redis.call('HMGET', attempts, unpack(ids)) or {}
  for at, id in ipairs(ids) do
    if envelopes[at] == '' then
      over[#over + 1] = id
    elseif envelopes[at] and marks and redis.call('HDEL', cancelling, id) == 1 then
      -- Called off while it ran, and given back or orphaned before its worker saw that.
      local readable, job = pcall(cjson.decode, envelopes[at])
      over[#over + 1] = id
      cancelled[#cancelled + 1] = id .. ':' .. (made[at] or 0) .. ':' .. (readable and tostring(job['function']) or '')
    elseif envelopes[at] then
      local attempt = tonumber(made[at] or 0) + 1
      reply[#reply + 1] = id
      reply[#reply + 1] = attempt
      reply[#reply + 1] = envelopes[at]
      held[#held + 1] = id
      held[#held + 1] = attempt
      started[#started + 1] = id .. ':' .. attempt
    end
  end
  if #held > 0 then
    break
  end
end

if #over > 0 then
  redis.call('HDEL', jobs, unpack(over))
  redis.call('HDEL', attempts, unpack(over))
end
if #cancelled > 0 then
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(cancelled, ' '))
end

redis.call('ZADD', workers, now + lease, worker)
if #held > 0 then
  redis.call('HSET', running, unpack(held))
  redis.call('XADD', events, '*', 't', 'started', 'w', worker, 'd', table.concat(started, ' '))
end

-- One token says that there is work; whoever leaves some behind passes it on.
if redis.call('LLEN', waiting) == 0 then
  redis.call('DEL', wake)
elseif redis.call('LLEN', wake) == 0 then
  redis.call('RPUSH', wake, 1)
end
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
if first then
  reply[1] = math.max(0, math.ceil(tonumber(first) - now))
end
return reply
