-- Puts jobs into a queue. An id that the queue knows already is left as it is.
--
-- KEYS  1 jobs  2 waiting  3 scheduled  4 attempts  5 events  6 wake
-- ARGV  five for each job: id, envelope, time in ms at which it is due (0: at once), attempts made so far, event
--       (JSON); at most 500 jobs
-- Returns the number of jobs put in.
-- Cost  O(n), and O(log m) for each one that is scheduled among m.
local jobs, waiting, scheduled, attempts, events, wake = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6]
local MOST_NAMED_EVENTS = 50

local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)

local ids, due, made, names = {}, {}, {}, {}
for at = 1, #ARGV, 5 do
  local id = ARGV[at]
  if redis.call('HSETNX', jobs, id, ARGV[at + 1]) == 1 then
    names[#names + 1] = ARGV[at + 4]
    local run_at = tonumber(ARGV[at + 2])
    if run_at > now then
      due[#due + 1] = run_at
      due[#due + 1] = id
    else
      ids[#ids + 1] = id
    end
    if ARGV[at + 3] ~= '0' then
      made[#made + 1] = id
      made[#made + 1] = ARGV[at + 3]
    end
  end
end

local pushed = #names
if pushed == 0 then
  return 0
end
if #made > 0 then
  redis.call('HSET', attempts, unpack(made))
end
local hint = #ids > 0
if #ids > 0 then
  redis.call('RPUSH', waiting, unpack(ids))
end
if #due > 0 then
  local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', scheduled, unpack(due))
  -- An idle worker sleeps until the first one is due: tell it when that moved forward.
  hint = hint or redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2] ~= first
end
if hint and redis.call('LLEN', wake) == 0 then
  redis.call('RPUSH', wake, 1)
end
if pushed <= MOST_NAMED_EVENTS then
  redis.call('XADD', events, '*', 't', 'queued', 'd', '[' .. table.concat(names, ',') .. ']')
else
  redis.call('XADD', events, '*', 't', 'queued_many', 'd', pushed)
end
return pushed
