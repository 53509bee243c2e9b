-- Tells what running attempts have to say: that they began, how far they are, their log lines. What comes from an
-- attempt that the worker does not hold any more is dropped. The others are marked as begun, should they be orphaned.
--
-- KEYS  1 events  2 running:{worker}  3 begun:{worker}
-- ARGV  1 worker, then three for each attempt: id, attempt, what it says (JSON); at most 500 attempts
-- Returns the number of attempts that were told.
-- Cost  O(n)
local events, running, begun = KEYS[1], KEYS[2], KEYS[3]
local ids = {}
for at = 2, #ARGV, 3 do
  ids[#ids + 1] = ARGV[at]
end
local held = redis.call('HMGET', running, unpack(ids))
local told, marks = {}, {}
for n, id in ipairs(ids) do
  local at = (n - 1) * 3 + 2
  if held[n] == ARGV[at + 1] then
    told[#told + 1] = ARGV[at + 2]
    marks[#marks + 1] = id
    marks[#marks + 1] = held[n]
  end
end
if #told > 0 then
  redis.call('HSET', begun, unpack(marks))
  redis.call('XADD', events, '*', 't', 'reported', 'w', ARGV[1], 'd', '[' .. table.concat(told, ',') .. ']')
end
return #told
