-- Cancels jobs. One that waits or is scheduled ends with this; one that a worker holds is marked: the worker stops it,
-- or, when it has not begun, gives it back, which ends it.
--
-- KEYS: jobs, lane_of, scheduled, attempts, events, workers, cancel_requested, counts, suspects; each worker: running
-- ARGS: worker_names; each job: id
--   worker_names  a JSON array, in the order of their keys
--   at most 500 jobs
-- Returns one number for each job: 0 not here, 1 cancelled, 2 marked; or {} when a worker is missing in the list: read it and call again
-- Cost  O(n w) for n jobs and w workers. An id in a lane is not searched for: its envelope is emptied, and the fetch
--       that comes to it drops it. Until then, or until forget.lua, the id counts as known: a push of it that was
--       on its way, or comes twice, must not bring it back.
local MARKED, CANCELLED, NOT_HERE = 2, 1, 0

local known = {}
for _, worker in ipairs(cjson.decode(worker_names)) do
  known[worker] = true
end
for _, worker in ipairs(redis.call('ZRANGE', workers, 0, -1)) do
  if not known[worker] then
    return {}
  end
end

local function runs(id)
  for at = FIRST_KEY, #KEYS do
    if redis.call('HEXISTS', KEYS[at], id) == 1 then
      return true
    end
  end
  return false
end

local reply, cancelled = {}, {}
for at = FIRST, #ARGV do
  local id = ARGV[at]
  local envelope = redis.call('HGET', jobs, id)
  if not envelope or envelope == '' then
    reply[#reply + 1] = NOT_HERE
  elseif runs(id) then
    redis.call('HSET', cancel_requested, id, 1)
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
    redis.call('HDEL', cancel_requested, id)
    redis.call('HDEL', suspects, id)
    cancelled[#cancelled + 1] = id .. ':' .. made .. ':' .. function_of(envelope)
    reply[#reply + 1] = CANCELLED
  end
end
if #cancelled > 0 then
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(cancelled, ' '))
end
return reply
