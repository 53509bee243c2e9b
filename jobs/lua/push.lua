-- Puts jobs into a queue. An id that the queue knows already is left as it is.
--
-- KEYS: jobs, waiting, lanes, lane_of, scheduled, attempts, events, wake, limits, counts
-- ARGS: deadline_ms; each job: id, envelope, run_at_ms, attempts_made, lane, event
--   deadline_ms  after this time the push comes too late and does nothing; 0: never
--   run_at_ms    when the job is due; 0: at once
--   lane         empty: the standard one
--   event        JSON; all empty when there are too many to name
--   at most 500 jobs
-- Returns { jobs put in, or -1 when it came too late; jobs that the queue holds now }
-- Cost  O(n), and O(log m) for each one that is scheduled among m.
local deadline = tonumber(deadline_ms)
if deadline > 0 and now > deadline then
  return { -1, redis.call('HLEN', jobs) }
end

local ids = {}
for at = FIRST, #ARGV, EACH do
  ids[#ids + 1] = ARGV[at + ID]
end
local known = redis.call('HMGET', jobs, unpack(ids))

local fresh, due, made, named, own_lane = {}, {}, {}, {}, {}
local groups, lane_names = {}, {}
local seen = {}
for n, id in ipairs(ids) do
  if not known[n] and not seen[id] then
    seen[id] = true
    local at = FIRST + (n - 1) * EACH
    fresh[#fresh + 1] = id
    fresh[#fresh + 1] = ARGV[at + ENVELOPE]
    named[#named + 1] = ARGV[at + EVENT]
    local lane = ARGV[at + LANE]
    if lane ~= '' then
      own_lane[#own_lane + 1] = id
      own_lane[#own_lane + 1] = lane
    else
      lane = STANDARD_LANE
    end
    local run_at = tonumber(ARGV[at + RUN_AT_MS])
    if run_at > now then
      due[#due + 1] = run_at
      due[#due + 1] = id
    else
      if not groups[lane] then
        groups[lane] = {}
        lane_names[#lane_names + 1] = lane
      end
      local group = groups[lane]
      group[#group + 1] = id
    end
    if ARGV[at + ATTEMPTS_MADE] ~= '0' then
      made[#made + 1] = id
      made[#made + 1] = ARGV[at + ATTEMPTS_MADE]
    end
  end
end

local pushed = #named
if pushed == 0 then
  return { 0, redis.call('HLEN', jobs) }
end
-- Before anything is written: a script that breaks off is not undone.
for _, lane in ipairs(lane_names) do
  local kind = redis.call('TYPE', waiting .. lane).ok
  if kind ~= 'list' and kind ~= 'none' then
    return redis.error_reply('WRONGTYPE the key of the lane ' .. lane .. ' holds a ' .. kind)
  end
end
-- Whoever pushes with a deadline keeps the limits, and has not set them here yet: Redis is new, or came back empty.
-- Nothing is handed out until they are there, or until it has taken too long (`fetch.lua`).
if deadline > 0 and redis.call('HEXISTS', counts, 'limits_known') == 0 and redis.call('EXISTS', limits) == 0 then
  redis.call('HSETNX', counts, 'limits_awaited', now)
end
redis.call('HSET', jobs, unpack(fresh))
if #made > 0 then
  redis.call('HSET', attempts, unpack(made))
end
if #own_lane > 0 then
  redis.call('HSET', lane_of, unpack(own_lane))
end
for _, lane in ipairs(lane_names) do
  enqueue('RPUSH', waiting, lanes, lane, groups[lane])
end
local wakes = #lane_names > 0
if #due > 0 then
  local first = redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2]
  redis.call('ZADD', scheduled, unpack(due))
  -- An idle worker sleeps until the first one is due: wake it when that is sooner now.
  wakes = wakes or redis.call('ZRANGE', scheduled, 0, 0, 'WITHSCORES')[2] ~= first
end
if wakes then
  notify(wake)
end
if named[1] ~= '' then
  redis.call('XADD', events, '*', 't', 'queued', 'd', '[' .. table.concat(named, ',') .. ']')
else
  redis.call('XADD', events, '*', 't', 'queued_many', 'd', pushed)
end
return { pushed, redis.call('HLEN', jobs) }
