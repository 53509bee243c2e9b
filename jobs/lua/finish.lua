-- Ends attempts. Each one counts only if the worker still holds the job with this very attempt: the fence.
--
-- KEYS: jobs, lanes, lane_of, scheduled, attempts, events, wake, counts, outputs, running, cancel_requested, limits,
--       begun, suspects
-- ARGS: worker, outputs_ttl_ms, events_json; each attempt: id, attempt, disposition, event_end, output
--   events_json  the events of all attempts, a JSON array
--   disposition  `end`, `park` when the next attempt is so far off that SQL keeps the job meanwhile, or the time in ms
--                from now to the next attempt
--   event_end    where the attempt's event ends in the array
--   output       to keep; may be empty
--   at most 500 attempts
-- Returns one number for each attempt: 1 counted, 0 too late. The same attempt twice counts once.
-- Cost  O(n), and O(log m) for each retry among m scheduled ones.
local some_cancel_requested = redis.call('EXISTS', cancel_requested) == 1

local ids = {}
for at = FIRST, #ARGV, EACH do
  ids[#ids + 1] = ARGV[at + ID]
end
local held = redis.call('HMGET', running, unpack(ids))

local reply, counted, done, kept, due, made, failed_before = {}, {}, {}, {}, {}, {}, {}
local seen = {}
for n, id in ipairs(ids) do
  local at = FIRST + (n - 1) * EACH
  local attempt, disposition = ARGV[at + ATTEMPT], ARGV[at + DISPOSITION]
  if held[n] == attempt and not seen[id] then
    seen[id] = true
    reply[n] = 1
    counted[#counted + 1] = id
    -- One whose cancellation was requested meanwhile is due at once: the fetch that comes to it ends it.
    local is_cancelled = disposition ~= 'end' and some_cancel_requested and redis.call('HEXISTS', cancel_requested, id) == 1
    if disposition == 'end' or (disposition == 'park' and not is_cancelled) then
      done[#done + 1] = id
      if attempt ~= '1' then
        failed_before[#failed_before + 1] = id
      end
      if ARGV[at + OUTPUT] ~= '' then
        kept[#kept + 1] = id
        kept[#kept + 1] = ARGV[at + OUTPUT]
      end
    else
      due[#due + 1] = is_cancelled and now or now + tonumber(disposition)
      due[#due + 1] = id
      made[#made + 1] = id
      made[#made + 1] = attempt
    end
  else
    reply[n] = 0
  end
end

-- What may be refused goes first: a script that breaks off is not undone.
if #kept > 0 then
  redis.call('HSET', outputs, unpack(kept))
  redis.call('PEXPIRE', outputs, outputs_ttl_ms)
end
if #counted < #ids then
  -- Only when some came too late: putting the array together here costs more than all the rest.
  local some, begins = {}, 2
  for n in ipairs(ids) do
    local ends = tonumber(ARGV[FIRST + (n - 1) * EACH + EVENT_END])
    if reply[n] == 1 then
      some[#some + 1] = string.sub(events_json, begins, ends)
    end
    begins = ends + 2
  end
  events_json = '[' .. table.concat(some, ',') .. ']'
end
if #counted > 0 then
  redis.call('XADD', events, '*', 't', 'finished', 'w', worker, 'd', events_json)
end
if #counted < #ids then
  redis.call('HINCRBY', counts, 'stale_results', #ids - #counted)
end
if #counted == 0 then
  return reply
end
redis.call('HDEL', running, unpack(counted))
redis.call('HINCRBY', counts, 'running', -#counted)
if redis.call('HLEN', begun) > 1 then
  redis.call('HDEL', begun, unpack(counted))
end
local some_suspects = redis.call('EXISTS', suspects) == 1
if some_suspects then
  -- One whose worker lives is no suspect any more, and goes back to the lane that it came from.
  local entries = redis.call('HMGET', suspects, unpack(counted))
  for n, id in ipairs(counted) do
    local _, lane = suspect_of(entries[n])
    if lane then
      redis.call('HDEL', suspects, id)
      if lane == STANDARD_LANE then
        redis.call('HDEL', lane_of, id)
      else
        redis.call('HSET', lane_of, id, lane)
      end
    end
  end
end
if #done > 0 then
  redis.call('HDEL', jobs, unpack(done))
  if redis.call('EXISTS', lane_of) == 1 then
    redis.call('HDEL', lane_of, unpack(done))
  end
  if some_cancel_requested then
    redis.call('HDEL', cancel_requested, unpack(done))
  end
end
if #failed_before > 0 then
  redis.call('HDEL', attempts, unpack(failed_before))
end
if #due > 0 then
  redis.call('HSET', attempts, unpack(made))
  redis.call('ZADD', scheduled, unpack(due))
  notify(wake)
elseif (some_suspects or redis.call('EXISTS', limits) == 1) and redis.call('EXISTS', lanes) == 1 then
  -- A place is free under the queue's limit, or for the next suspect.
  notify(wake)
end
return reply
