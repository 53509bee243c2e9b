-- Puts the jobs of a worker whose lease has lapsed back into the queue. The attempt of one that had begun counts; those that have none left
-- are dead. One that had not begun goes back as it was, a bounded number of times: a job that ends its process before
-- anybody can mark it must end all the same. All that go back wait in the lane of suspects, from which each worker
-- takes one at a time, so that one that ends its process does not take the same neighbours along again.
--
-- KEYS: jobs, waiting, lanes, lane_of, attempts, events, wake, workers, worker_info, running, cancel_requested, counts,
--       begun, suspects
-- ARGS: worker, most_jobs
--   worker     the one whose lease has lapsed
--   most_jobs  at most 500
-- Returns { orphans queued again, orphans dead, 1 when some are left, orphans that had not begun (and are queued again)
--         or were cancelled }, or {} when the lease has not lapsed.
-- Cost  O(n log n) for n jobs taken, with one parse of an envelope each; fewer jobs than asked for when they are large.
local MOST_UNCOUNTED = 5

local lapses = redis.call('ZSCORE', workers, worker)
if not lapses or tonumber(lapses) > now then
  return {}
end

-- Bytes of envelopes that are parsed in one call, about.
local MOST_BYTES = 4194304

-- A worker of an earlier version marks nothing: all that it held may have begun.
local marks_begun = redis.call('HEXISTS', begun, MARKS_BEGUN) == 1
local held = redis.call('HRANDFIELD', running, most_jobs, 'WITHVALUES')
local bytes = 0
local taken, requeued, done, ended, cancelled = {}, {}, {}, {}, {}
local counted, uncounted, suspected = {}, {}, {}
for at = 1, #held, 2 do
  if bytes > MOST_BYTES then
    break
  end
  local id, attempt = held[at], tonumber(held[at + 1]) or 1
  taken[#taken + 1] = id
  local envelope = redis.call('HGET', jobs, id)
  bytes = bytes + #(envelope or '')
  local job = job_in(envelope)
  local losses, lane = suspect_of(redis.call('HGET', suspects, id))
  local began = not marks_begun or redis.call('HGET', begun, id) == held[at + 1] or losses >= MOST_UNCOUNTED
  if envelope and began and not (job and attempt < (tonumber(job.max_attempts) or 1)) then
    done[#done + 1] = id
    ended[#ended + 1] = id .. ':' .. attempt .. ':' .. function_in(job)
  elseif envelope then
    local made = began and attempt or attempt - 1
    local returned = began and counted or uncounted
    returned[#returned + 1] = id .. ':' .. made
    if redis.call('HEXISTS', cancel_requested, id) == 1 then
      done[#done + 1] = id
      cancelled[#cancelled + 1] = id .. ':' .. made .. ':' .. function_in(job)
    else
      requeued[#requeued + 1] = id
      if made > 0 then
        redis.call('HSET', attempts, id, made)
      end
      lane = lane or redis.call('HGET', lane_of, id) or STANDARD_LANE
      suspected[#suspected + 1] = id
      suspected[#suspected + 1] = (began and losses or losses + 1) .. ' ' .. lane
      redis.call('HSET', lane_of, id, SUSPECT_LANE)
    end
  end
end

if #taken > 0 then
  redis.call('HDEL', running, unpack(taken))
  redis.call('HDEL', begun, unpack(taken))
  redis.call('HINCRBY', counts, 'running', -#taken)
  -- Also when none is queued again: a place is free under the queue's limit.
  notify(wake)
end
if #requeued > 0 then
  redis.call('HSET', suspects, unpack(suspected))
  redis.call('PEXPIRE', suspects, MARKS_KEPT)
  -- Ids are in the order of their making; from the last to the first, so that the first comes to the front.
  table.sort(requeued, function(one, other)
    return one > other
  end)
  enqueue('LPUSH', waiting, lanes, SUSPECT_LANE, requeued)
end
if #counted > 0 then
  redis.call('XADD', events, '*', 't', 'returned', 'r', 'orphaned', 'w', worker, 'd', table.concat(counted, ' '))
end
if #uncounted > 0 then
  redis.call('XADD', events, '*', 't', 'returned', 'r', 'stopped', 'w', worker, 'd', table.concat(uncounted, ' '))
end
if #done > 0 then
  redis.call('HDEL', jobs, unpack(done))
  redis.call('HDEL', attempts, unpack(done))
  redis.call('HDEL', lane_of, unpack(done))
  redis.call('HDEL', cancel_requested, unpack(done))
  redis.call('HDEL', suspects, unpack(done))
end
if #ended > 0 then
  redis.call('XADD', events, '*', 't', 'crashed', 'w', worker, 'd', table.concat(ended, ' '))
end
if #cancelled > 0 then
  redis.call('XADD', events, '*', 't', 'cancelled', 'd', table.concat(cancelled, ' '))
end
local left = redis.call('EXISTS', running)
if left == 0 then
  redis.call('ZREM', workers, worker)
  redis.call('HDEL', worker_info, worker)
  redis.call('DEL', begun)
end
return { #counted, #ended, left, #uncounted }
