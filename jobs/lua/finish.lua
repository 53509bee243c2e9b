-- Ends attempts. Each one counts only if the worker still holds the job with this very attempt: the fence.
--
-- KEYS  1 jobs  2 scheduled  3 attempts  4 events  5 wake  6 stale-results  7 outputs:{stretch}  8 running:{worker}
--       9 cancelling
-- ARGV  1 time to live of the outputs in ms, then five for each attempt: id, attempt, what follows (`end`, or the
--       time in ms from now to the next attempt), event (JSON), output to keep (may be empty); at most 500 attempts
-- Returns one number for each attempt: 1 counted, 0 too late.
-- Cost  O(n), and O(log m) for each retry among m scheduled ones.
local jobs, scheduled, attempts, events = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local wake, stale_results, outputs, running, cancelling = KEYS[5], KEYS[6], KEYS[7], KEYS[8], KEYS[9]
local marks = redis.call('EXISTS', cancelling) == 1

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local ids = {}
for at = 2, #ARGV, 5 do
  ids[#ids + 1] = ARGV[at]
end
local held = redis.call('HMGET', running, unpack(ids))

local reply, counted, over, names, kept, due, made, failed_before = {}, {}, {}, {}, {}, {}, {}, {}
for n, id in ipairs(ids) do
  local at = (n - 1) * 5 + 2
  local attempt = ARGV[at + 1]
  if held[n] == attempt then
    reply[n] = 1
    counted[#counted + 1] = id
    names[#names + 1] = ARGV[at + 3]
    if ARGV[at + 2] == 'end' then
      over[#over + 1] = id
      if attempt ~= '1' then
        failed_before[#failed_before + 1] = id
      end
      if ARGV[at + 4] ~= '' then
        kept[#kept + 1] = id
        kept[#kept + 1] = ARGV[at + 4]
      end
    else
      -- One that was called off meanwhile is due at once: the fetch that comes to it drops it.
      local marked = marks and redis.call('HEXISTS', cancelling, id) == 1
      due[#due + 1] = marked and now or now + tonumber(ARGV[at + 2])
      due[#due + 1] = id
      made[#made + 1] = id
      made[#made + 1] = attempt
    end
  else
    reply[n] = 0
  end
end

if #counted < #ids then
  redis.call('INCRBY', stale_results, #ids - #counted)
end
if #counted == 0 then
  return reply
end
redis.call('HDEL', running, unpack(counted))
if #over > 0 then
  redis.call('HDEL', jobs, unpack(over))
  if marks then
    redis.call('HDEL', cancelling, unpack(over))
  end
end
if #failed_before > 0 then
  redis.call('HDEL', attempts, unpack(failed_before))
end
if #kept > 0 then
  redis.call('HSET', outputs, unpack(kept))
  redis.call('PEXPIRE', outputs, ARGV[1])
end
if #due > 0 then
  redis.call('HSET', attempts, unpack(made))
  redis.call('ZADD', scheduled, unpack(due))
  if redis.call('LLEN', wake) == 0 then
    redis.call('RPUSH', wake, 1)
  end
end
redis.call('XADD', events, '*', 't', 'finished', 'd', '[' .. table.concat(names, ',') .. ']')
return reply
