-- Gives a worker the next jobs of a queue, each with its attempt number, and renews the worker's lease.
-- Jobs whose time has come are moved to the end of their lanes first.
--
-- KEYS: jobs, waiting, lanes, lane_of, scheduled, attempts, events, wake, workers, running, cancel_requested, counts,
--       limits, bucket, begun, suspects
-- ARGS: worker, most_jobs, lease_ms, most_bytes, free_places, may_take_suspect
--   most_jobs         at most 500
--   most_bytes        of envelopes; one job is always allowed
--   free_places       how many jobs the worker could begin at once
--   may_take_suspect  1 when it may take a suspect
-- Returns { time in ms until something may be there to fetch or -1, 1 when the queue has limits, 1 when the first job is
--         a suspect, then id, attempt, envelope for each job }
-- Cost  O(n + p log m) for n jobs fetched and p (<= 500) of m scheduled ones promoted; O(log l) a turn for l lanes.
local most, places = tonumber(most_jobs), tonumber(free_places)
local bytes_left, may_suspect = tonumber(most_bytes), may_take_suspect == '1'
-- How long jobs wait for limits that are not set: the API that announced them may be gone, and one of an older release
-- announces nothing.
local LIMITS_AWAITED = 60000
local MOST_PROMOTED = 500
-- Turns of lanes in one call.
local MOST_TURNS = 50
-- Ids of cancelled jobs are still in the lanes; this many batches of nothing else are skipped in one call.
local MOST_ROUNDS = 4
-- How soon a worker that has a suspect comes for the next one, in ms.
local NEXT_SUSPECT = 10

local promoted = redis.call('ZRANGEBYSCORE', scheduled, '-inf', now, 'LIMIT', 0, MOST_PROMOTED)
if #promoted > 0 then
  redis.call('ZREM', scheduled, unpack(promoted))
  enqueue_each('RPUSH', waiting, lanes, lane_of, promoted)
  redis.call('XADD', events, '*', 't', 'promoted', 'd', table.concat(promoted, ' '))
end
redis.call('ZADD', workers, now + lease_ms, worker)

-- What the queue's limits leave of the wish.
local allowed, limited = most, 0
-- Of a token bucket (J. Turner, IEEE Communications Magazine 24(10), 1986): what it holds, its rate in jobs a ms.
local tokens, rate, precise_now
if redis.call('EXISTS', limits) == 1 then
  local set = redis.call('HMGET', limits, 'paused', 'concurrency', 'rate', 'rate_ms', 'burst')
  if set[1] then
    allowed = 0
  end
  -- Limits are for what runs: nothing is handed out to wait for a place while another worker has one free.
  if set[2] or set[3] then
    limited = 1
    most = math.min(most, places)
    allowed = math.min(allowed, most)
  end
  if set[2] then
    local running_now = tonumber(redis.call('HGET', counts, 'running') or 0)
    allowed = math.max(0, math.min(allowed, tonumber(set[2]) - running_now))
  end
  if set[3] then
    precise_now = clock[1] * 1000 + clock[2] / 1000
    rate = tonumber(set[3]) / tonumber(set[4])
    local burst = tonumber(set[5])
    local before = redis.call('HMGET', bucket, 'tokens', 'at')
    local passed = math.max(0, precise_now - tonumber(before[2] or precise_now))
    tokens = math.min(burst, tonumber(before[1] or burst) + passed * rate)
    allowed = math.min(allowed, math.floor(tokens))
  end
end

local awaited = tonumber(redis.call('HGET', counts, 'limits_awaited'))
if awaited and now - awaited < LIMITS_AWAITED and redis.call('EXISTS', limits) == 0 then
  allowed = 0
end

-- How many of the next `length` ids of a lane fit into the bytes that are left, when so many are `taken` already.
local function fitting(lane, length, taken)
  for at, id in ipairs(redis.call('LRANGE', waiting .. lane, 0, length - 1)) do
    local size = redis.call('HSTRLEN', jobs, id)
    if size > bytes_left and taken + at > 1 then
      return at - 1
    end
    bytes_left = bytes_left - size
  end
  return length
end

-- The ids whose turn it is.
local function take(wanted)
  local ids, full = {}, false
  local skipped = redis.call('ZSCORE', lanes, SUSPECT_LANE) and 1 or 0
  local open = redis.call('ZCARD', lanes) - skipped
  local turn_length = math.max(1, math.floor(wanted / math.max(1, math.min(open, MOST_TURNS))))
  for _ = 1, MOST_TURNS do
    local first = redis.call('ZRANGE', lanes, skipped, skipped, 'WITHSCORES')
    local lane, turn = first[1], first[2]
    local length = math.min(turn_length, wanted - #ids)
    if not lane or length == 0 or full then
      break
    end
    if wanted > 1 then
      local fit = fitting(lane, length, #ids)
      if fit == 0 then
        break
      end
      full = fit < length
      length = fit
    end
    local some = redis.call('LPOP', waiting .. lane, length) or {}
    for _, id in ipairs(some) do
      ids[#ids + 1] = id
    end
    if #some < length or redis.call('EXISTS', waiting .. lane) == 0 then
      redis.call('ZREM', lanes, lane)
    elseif open > 1 then
      redis.call('ZADD', lanes, tonumber(turn) + #some, lane)
    end
  end
  return ids
end

local suspect = allowed > 0 and may_suspect and redis.call('LPOP', waiting .. SUSPECT_LANE)
if suspect then
  bytes_left = bytes_left - redis.call('HSTRLEN', jobs, suspect)
  if redis.call('EXISTS', waiting .. SUSPECT_LANE) == 0 then
    redis.call('ZREM', lanes, SUSPECT_LANE)
  end
end

local some_cancel_requested = redis.call('EXISTS', cancel_requested) == 1
local reply, held, done, cancelled = { -1, limited, 0 }, {}, {}, {}
local cancelled_in_lanes = 0
for round = 1, MOST_ROUNDS do
  local ids = {}
  if round == 1 and suspect then
    ids = take(allowed - 1)
    table.insert(ids, 1, suspect)
  elseif allowed > 0 then
    ids = take(allowed)
  end
  if #ids == 0 then
    break
  end
  local envelopes = redis.call('HMGET', jobs, unpack(ids))
  local made = redis.call('EXISTS', attempts) == 1 and redis.call('HMGET', attempts, unpack(ids)) or {}
  for at, id in ipairs(ids) do
    local envelope = envelopes[at]
    if envelope == '' then
      done[#done + 1] = id
      cancelled_in_lanes = cancelled_in_lanes + 1
    elseif envelope and some_cancel_requested and redis.call('HDEL', cancel_requested, id) == 1 then
      -- Cancelled while it ran, and given back or orphaned before its worker saw that.
      done[#done + 1] = id
      cancelled[#cancelled + 1] = id .. ':' .. (made[at] or 0) .. ':' .. function_of(envelope)
    elseif envelope then
      -- As a text: Redis takes long to write a number of Lua's out.
      local attempt = made[at] and tostring((tonumber(made[at]) or 0) + 1) or '1'
      reply[#reply + 1] = id
      reply[#reply + 1] = attempt
      reply[#reply + 1] = envelope
      held[#held + 1] = id
      held[#held + 1] = attempt
    end
  end
  if #held > 0 then
    break
  end
end

if #done > 0 then
  redis.call('HDEL', jobs, unpack(done))
  redis.call('HDEL', attempts, unpack(done))
  redis.call('HDEL', lane_of, unpack(done))
  redis.call('HDEL', suspects, unpack(done))
end
if cancelled_in_lanes > 0 then
  redis.call('HINCRBY', counts, 'called_off', -cancelled_in_lanes)
end
if #cancelled > 0 then
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(cancelled, ' '))
end
if #held > 0 then
  redis.call('HSET', running, unpack(held))
  redis.call('HINCRBY', counts, 'running', #held / 2)
  reply[3] = held[1] == suspect and 1 or 0
  if redis.call('EXISTS', begun) == 0 then
    redis.call('HSET', begun, MARKS_BEGUN, 1)
    redis.call('PEXPIRE', begun, MARKS_KEPT)
  end
end

local function sooner(wait)
  if reply[1] < 0 or wait < reply[1] then
    reply[1] = wait
  end
end
local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
if first then
  sooner(math.max(0, math.ceil(tonumber(first) - now)))
end
local work_left = redis.call('EXISTS', lanes) == 1
if tokens then
  tokens = tokens - #held / 2
  redis.call('HSET', bucket, 'tokens', tokens, 'at', string.format('%.3f', precise_now))
  if work_left and tokens < 1 then
    sooner(math.ceil((1 - tokens) / rate))
  end
end
-- Work that the limits forbid wakes no worker: it would come back at once. Lifting the limit, or a free place, wakes one.
local forbidden = allowed < most and #held / 2 >= allowed
if work_left and allowed > 0 and redis.call('ZSCORE', lanes, SUSPECT_LANE) then
  sooner(NEXT_SUSPECT)
  -- The same for a worker that may take none of what is left; the one that took a suspect wakes another one.
  forbidden = forbidden or (not may_suspect and redis.call('ZCARD', lanes) == 1)
end
if work_left and not forbidden then
  notify(wake)
else
  redis.call('DEL', wake)
end
return reply
