-- Takes the jobs of a worker whose lease has lapsed. Their attempt counts; those that have none left are dead.
--
-- KEYS  1 jobs  2 waiting:  3 lanes  4 lane-of  5 attempts  6 events  7 wake  8 workers  9 worker-info
--       10 running:{worker}  11 cancelling  12 counts
-- ARGV  1 the worker whose lease has lapsed  2 how many jobs at most (<= 500)
-- Returns { orphans queued again, orphans dead, 1 when some are left }, or {} when the lease has not lapsed.
-- Cost  O(n) for n jobs taken, with one parse of an envelope each; fewer jobs than asked for when they are large.
local jobs, waiting, lanes, lane_of = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local attempts, events, wake = KEYS[5], KEYS[6], KEYS[7]
local workers, worker_info, running, cancelling, counts = KEYS[8], KEYS[9], KEYS[10], KEYS[11], KEYS[12]
local worker, most = ARGV[1], tonumber(ARGV[2])

local lapses = redis.call('ZSCORE', workers, worker)
if not lapses or tonumber(lapses) > now then
  return {}
end

-- Bytes of envelopes that are parsed in one call, about.
local MOST_BYTES = 4194304

local held = redis.call('HRANDFIELD', running, most, 'WITHVALUES')
local bytes = 0
local taken, again, returned, made, over, ended = {}, {}, {}, {}, {}, {}
for at = 1, #held, 2 do
  if bytes > MOST_BYTES then
    break
  end
  local id, attempt = held[at], tonumber(held[at + 1]) or 1
  taken[#taken + 1] = id
  local envelope = redis.call('HGET', jobs, id)
  bytes = bytes + #(envelope or '')
  local job = job_in(envelope)
  if envelope and job and attempt < (tonumber(job.max_attempts) or 1) then
    again[#again + 1] = id
    returned[#returned + 1] = id .. ':' .. attempt
    made[#made + 1] = id
    made[#made + 1] = attempt
  elseif envelope then
    over[#over + 1] = id
    ended[#ended + 1] = id .. ':' .. attempt .. ':' .. function_in(job)
  end
end

if #taken > 0 then
  redis.call('HDEL', running, unpack(taken))
  redis.call('HINCRBY', counts, 'running', -#taken)
  -- Also when none waits again: a place is free under the queue's limit.
  call_somebody(wake)
end
if #again > 0 then
  redis.call('HSET', attempts, unpack(made))
  line_up_again('LPUSH', waiting, lanes, lane_of, again)
  redis.call('XADD', events, '*', 't', 'returned', 'r', 'orphaned', 'w', worker, 'd', table.concat(returned, ' '))
end
if #over > 0 then
  redis.call('HDEL', jobs, unpack(over))
  redis.call('HDEL', attempts, unpack(over))
  redis.call('HDEL', lane_of, unpack(over))
  redis.call('HDEL', cancelling, unpack(over))
  redis.call('XADD', events, '*', 't', 'crashed', 'w', worker, 'd', table.concat(ended, ' '))
end
local left = redis.call('EXISTS', running)
if left == 0 then
  redis.call('ZREM', workers, worker)
  redis.call('HDEL', worker_info, worker)
end
return { #again, #over, left }
