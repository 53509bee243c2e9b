-- Gives jobs back unfinished, to the front of the queue; the attempt does not count.
--
-- KEYS  1 waiting  2 attempts  3 events  4 wake  5 running:{worker}
-- ARGV  two for each job: id, attempt; at most 500 jobs
-- Returns the number of jobs given back.
-- Cost  O(n)
local waiting, attempts, events, wake, running = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local ids, names = {}, {}
-- From the last to the first, so that each push to the front keeps their order.
for at = #ARGV - 1, 1, -2 do
  local id, attempt = ARGV[at], tonumber(ARGV[at + 1])
  if tonumber(redis.call('HGET', running, id) or 0) == attempt then
    redis.call('HDEL', running, id)
    if attempt > 1 then
      redis.call('HSET', attempts, id, attempt - 1)
    end
    ids[#ids + 1] = id
    names[#names + 1] = id .. ':' .. (attempt - 1)
  end
end
if #ids == 0 then
  return 0
end
redis.call('LPUSH', waiting, unpack(ids))
if redis.call('LLEN', wake) == 0 then
  redis.call('RPUSH', wake, 1)
end
redis.call('XADD', events, '*', 't', 'returned', 'r', 'stopped', 'd', table.concat(names, ' '))
return #ids
