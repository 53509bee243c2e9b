-- Calls jobs off. One that waits or is scheduled has ended with this; one that a worker holds is marked for it: the
-- worker stops it, or, when it has not begun, gives it back, which ends it.
--
-- KEYS  1 jobs  2 lane-of  3 scheduled  4 attempts  5 events  6 workers  7 cancelling  8 counts  9 suspects, then
--       running:{worker} for each worker
-- ARGV  1 number of workers w, then their names in the order of their keys, then ids; at most 500 jobs
-- Returns one number for each job: 0 not here, 1 cancelled, 2 marked; or {} when another worker has come: call again
-- Cost  O(n w) for n jobs and w workers. An id in a lane is not searched for: its envelope is emptied, and the fetch
--       that comes to it drops it. Until then, or until forget.lua, the id counts as known: a push of it that was
--       on its way, or comes twice, must not bring it back.
local jobs, lane_of, scheduled, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local events, workers, cancelling, counts = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local suspects = KEYS[9]
local MARKED, CANCELLED, NOT_HERE = 2, 1, 0

local count = tonumber(ARGV[1])
local known = {}
for at = 1, count do
  known[ARGV[1 + at]] = true
end
for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if not known[worker] then
    return {}
  end
end

local function runs(id)
  for at = 10, #KEYS do
    if redis.call('HEXISTS', KEYS[at], id) == 1 then
      return true
    end
  end
  return false
end

local reply, told = {}, {}
for at = 2 + count, #ARGV do
  local id = ARGV[at]
  local envelope = redis.call('HGET', jobs, id)
  if not envelope or envelope == '' then
    reply[#reply + 1] = NOT_HERE
  elseif runs(id) then
    redis.call('HSET', cancelling, id, 1)
    reply[#reply + 1] = MARKED
  else
    if redis.call('ZREM', scheduled, id) == 1 then
      redis.call('HDEL', jobs, id)
      redis.call('HDEL', lane_of, id)
    else
      redis.call('HSET', jobs, id, '')
      redis.call('HINCRBY', counts, 'called_off', 1)
    end
    local made = redis.call('HGET', attempts, id) or 0
    redis.call('HDEL', attempts, id)
    redis.call('HDEL', cancelling, id)
    redis.call('HDEL', suspects, id)
    told[#told + 1] = id .. ':' .. made .. ':' .. function_of(envelope)
    reply[#reply + 1] = CANCELLED
  end
end
if #told > 0 then
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(told, ' '))
end
return reply
