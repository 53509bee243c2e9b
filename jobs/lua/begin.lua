-- Checks whether a worker may begin jobs that it holds, and marks those as begun: the attempt of an orphan counts only
-- with the mark. Renews the worker's lease.
--
-- KEYS: workers, running, begun, cancel_requested
-- ARGS: worker, lease_ms; each job: id, attempt
--   at most 500 jobs
-- Returns one number for each job: 1 it may begin, 0 this worker does not hold this attempt, 2 it was cancelled
-- Cost  O(n), and O(log w) for w workers
local MAY_BEGIN, NOT_HELD, CANCELLED = 1, 0, 2

local ids = {}
for at = FIRST, #ARGV, EACH do
  ids[#ids + 1] = ARGV[at + ID]
end
local held = redis.call('HMGET', running, unpack(ids))
local cancelled = redis.call('EXISTS', cancel_requested) == 1 and redis.call('HMGET', cancel_requested, unpack(ids)) or {}

local reply, marks, renewed = {}, {}, false
for n, id in ipairs(ids) do
  local attempt = ARGV[FIRST + EACH * (n - 1) + ATTEMPT]
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
  redis.call('ZADD', workers, now + lease_ms, worker)
end
if #marks > 0 then
  redis.call('HSET', begun, unpack(marks))
end
return reply
