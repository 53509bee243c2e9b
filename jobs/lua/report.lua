-- Tells what running attempts have to say: that they began, how far they are, their log lines. What comes from an
-- attempt that the worker does not hold any more is dropped. The others are marked as begun, should they be orphaned.
--
-- KEYS: events, running, begun
-- ARGS: worker; each attempt: id, attempt, report
--   report  what the attempt says (JSON)
--   at most 500 attempts
-- Returns the number of attempts that were told.
-- Cost  O(n)
local ids = {}
for at = FIRST, #ARGV, EACH do
  ids[#ids + 1] = ARGV[at + ID]
end
local held = redis.call('HMGET', running, unpack(ids))
local told, marks = {}, {}
for n, id in ipairs(ids) do
  local at = FIRST + (n - 1) * EACH
  if held[n] == ARGV[at + ATTEMPT] then
    told[#told + 1] = ARGV[at + REPORT]
    marks[#marks + 1] = id
    marks[#marks + 1] = held[n]
  end
end
if #told > 0 then
  redis.call('HSET', begun, unpack(marks))
  redis.call('XADD', events, '*', 't', 'reported', 'w', worker, 'd', '[' .. table.concat(told, ',') .. ']')
end
return #told
