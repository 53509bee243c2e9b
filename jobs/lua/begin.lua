-- Asks whether a worker may begin jobs that it holds, and marks those as begun: an orphan with the mark has used up its
-- attempt, one without it has not. Renews the worker's lease.
--
-- KEYS  1 workers  2 running:{worker}  3 begun:{worker}  4 cancelling
-- ARGV  1 worker  2 lease in ms, then two for each job: id, attempt; at most 500 jobs
-- Returns one number for each job: 1 it may begin, 0 this worker does not hold this attempt, 2 it was cancelled
-- Cost  O(n), and O(log w) for w workers
local workers, running, begun, cancelling = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local worker, lease = ARGV[1], tonumber(ARGV[2])
local FIRST = 3
local MAY_BEGIN, NOT_HELD, CANCELLED = 1, 0, 2

local ids = {}
for at = FIRST, #ARGV, 2 do
  ids[#ids + 1] = ARGV[at]
end
local held = redis.call('HMGET', running, unpack(ids))
local cancelled = redis.call('EXISTS', cancelling) == 1 and redis.call('HMGET', cancelling, unpack(ids)) or {}

local reply, marks, renewed = {}, {}, false
for n, id in ipairs(ids) do
  local attempt = ARGV[FIRST + 2 * n - 1]
  if held[n] ~= attempt then
    reply[n] = NOT_HELD
  elseif cancelled[n] then
    renewed = true
    reply[n] = CANCELLED
  else
    renewed = true
    reply[n] = MAY_BEGIN
    marks[#marks + 1] = id
    marks[#marks + 1] = attempt
  end
end
-- A worker that holds none of them may have left, or have been taken over as a whole: it is not put on the list again.
if renewed then
  redis.call('ZADD', workers, now + lease, worker)
end
if #marks > 0 then
  redis.call('HSET', begun, unpack(marks))
end
return reply
