-- Gives jobs back unfinished: to the front of their lanes, or, with a wait, to those that are scheduled. The attempt does
-- not count. One whose cancellation was requested meanwhile ends with this.
--
-- KEYS: waiting, lanes, lane_of, attempts, events, wake, running, counts, scheduled, cancel_requested, jobs, begun,
--       suspects
-- ARGS: worker, wait_ms; each job: id, attempt
--   at most 500 jobs
-- Returns the number of jobs given back.
-- Cost  O(n), with a wait O(n log m) among m scheduled ones
local wait = tonumber(wait_ms)
local given, returned, ids, done, cancelled = {}, {}, {}, {}, {}
-- From the last to the first, so that each push to the front keeps their order.
for at = #ARGV + 1 - EACH, FIRST, -EACH do
  local id, attempt = ARGV[at + ID], tonumber(ARGV[at + ATTEMPT])
  if tonumber(redis.call('HGET', running, id) or 0) == attempt then
    redis.call('HDEL', running, id)
    if attempt > 1 then
      redis.call('HSET', attempts, id, attempt - 1)
    end
    given[#given + 1] = id
    returned[#returned + 1] = id .. ':' .. (attempt - 1)
    local envelope = redis.call('HEXISTS', cancel_requested, id) == 1 and redis.call('HGET', jobs, id)
    if envelope then
      done[#done + 1] = id
      cancelled[#cancelled + 1] = id .. ':' .. (attempt - 1) .. ':' .. function_of(envelope)
    else
      ids[#ids + 1] = id
    end
  end
end
if #given == 0 then
  return 0
end
redis.call('HINCRBY', counts, 'running', -#given)
redis.call('HDEL', begun, unpack(given))
local event = { '*', 't', 'returned', 'r', 'stopped', 'w', worker, 'd', table.concat(returned, ' ') }
if wait > 0 then
  for _, id in ipairs(ids) do
    redis.call('ZADD', scheduled, now + wait, id)
  end
  event[#event + 1] = 'wait'
  event[#event + 1] = wait
elseif #ids > 0 then
  enqueue_each('LPUSH', waiting, lanes, lane_of, ids)
end
notify(wake)
redis.call('XADD', events, unpack(event))
if #done > 0 then
  redis.call('HDEL', jobs, unpack(done))
  redis.call('HDEL', attempts, unpack(done))
  redis.call('HDEL', lane_of, unpack(done))
  redis.call('HDEL', cancel_requested, unpack(done))
  redis.call('HDEL', suspects, unpack(done))
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(cancelled, ' '))
end
return #given
