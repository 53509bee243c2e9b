-- Appends the reports of running attempts: that they began, their progress, their log lines. Those of an attempt that
-- the worker does not hold any more are dropped. The others are marked as begun, should they be orphaned.
--
-- KEYS: events, running, begun
-- ARGS: worker; each attempt: id, attempt, report
--   report  start, progress and log lines (JSON)
--   at most 500 attempts
-- Returns the number of reports appended.
-- Cost  O(n)
local ids = {}
for at = FIRST, #ARGV, EACH do
  ids[#ids + 1] = ARGV[at + ID]
end
local held = redis.call('HMGET', running, unpack(ids))
local reports, marks = {}, {}
for n, id in ipairs(ids) do
  local at = FIRST + (n - 1) * EACH
  if held[n] == ARGV[at + ATTEMPT] then
    reports[#reports + 1] = ARGV[at + REPORT]
    marks[#marks + 1] = id
    marks[#marks + 1] = held[n]
  end
end
if #reports > 0 then
  redis.call('HSET', begun, unpack(marks))
  redis.call('XADD', events, '*', 't', 'reported', 'w', worker, 'd', '[' .. table.concat(reports, ',') .. ']')
end
return #reports
