-- Makes sure of the group that records the events, from the first entry on.
--
-- KEYS: events
-- ARGS: group
-- Returns 1
-- Cost  O(1)
local made = redis.pcall('XGROUP', 'CREATE', events, group, '0', 'MKSTREAM')
if type(made) == 'table' and made.err and not string.find(made.err, 'BUSYGROUP', 1, true) then
  return made
end
return 1
