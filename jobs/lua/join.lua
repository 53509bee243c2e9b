-- Makes sure of the group that records the events, from the first entry on.
--
-- KEYS  1 events
-- ARGV  1 group
-- Returns 1
-- Cost  O(1)
local made = redis.pcall('XGROUP', 'CREATE', KEYS[1], ARGV[1], '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
return 1
