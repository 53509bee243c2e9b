-- Gives jobs back unfinished: to the front of their lanes, or, with a wait, to those that are scheduled. The attempt does
-- not count.
--
-- KEYS  1 waiting:  2 lanes  3 lane-of  4 attempts  5 events  6 wake  7 running:{worker}  8 counts  9 scheduled
--       10 cancelling
-- ARGV  1 worker  2 wait in ms, then two for each job: id, attempt; at most 500 jobs
-- Returns the number of jobs given back.
-- Cost  O(n), with a wait O(n log m) among m scheduled ones
local waiting, lanes, lane_of, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local events, wake, running, counts = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local scheduled, cancelling = KEYS[9], KEYS[10]
local worker, wait = ARGV[1], tonumber(ARGV[2])
local FIRST = 3
local ids, told = {}, {}
-- From the last to the first, so that each push to the front keeps their order.
for at = #ARGV - 1, FIRST, -2 do
  local id, attempt = ARGV[at], tonumber(ARGV[at + 1])
  if tonumber(redis.call('HGET', running, id) or 0) == attempt then
    redis.call('HDEL', running, id)
    if attempt > 1 then
      redis.call('HSET', attempts, id, attempt - 1)
    end
    ids[#ids + 1] = id
    told[#told + 1] = id .. ':' .. (attempt - 1)
  end
end
if #ids == 0 then
  return 0
end
redis.call('HINCRBY', counts, 'running', -#ids)
local event = { '*', 't', 'returned', 'r', 'stopped', 'w', worker, 'd', table.concat(told, ' ') }
if wait > 0 then
  for _, id in ipairs(ids) do
    -- One that was called off meanwhile is due at once: the fetch that comes to it drops it.
    local marked = redis.call('HEXISTS', cancelling, id) == 1
    redis.call('ZADD', scheduled, marked and now or now + wait, id)
  end
  event[#event + 1] = 'wait'
  event[#event + 1] = wait
else
  line_up_again('LPUSH', waiting, lanes, lane_of, ids)
end
call_somebody(wake)
redis.call('XADD', events, unpack(event))
return #ids
