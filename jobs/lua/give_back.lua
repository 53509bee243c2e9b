-- Gives jobs back unfinished, to the front of their lanes; the attempt does not count.
--
-- KEYS  1 waiting:  2 lanes  3 lane-of  4 attempts  5 events  6 wake  7 running:{worker}  8 counts
-- ARGV  1 worker, then two for each job: id, attempt; at most 500 jobs
-- Returns the number of jobs given back.
-- Cost  O(n)
local waiting, lanes, lane_of, attempts = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local events, wake, running, counts = KEYS[5], KEYS[6], KEYS[7], KEYS[8]
local worker = ARGV[1]
local ids, told = {}, {}
-- From the last to the first, so that each push to the front keeps their order.
for at = #ARGV - 1, 2, -2 do
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
line_up_again('LPUSH', waiting, lanes, lane_of, ids)
call_somebody(wake)
redis.call('XADD', events, '*', 't', 'returned', 'r', 'stopped', 'w', worker, 'd', table.concat(told, ' '))
return #ids
