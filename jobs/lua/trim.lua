-- Drops events that the group has recorded. The newest stay a while for followers that come back to a position,
-- unless there are very many.
--
-- KEYS: events
-- ARGS: group, keep_ms, most_entries, most_bytes
--   keep_ms                   how long to keep recorded entries
--   most_entries, most_bytes  past these they are not kept
-- Returns the number of entries dropped.
-- Cost  O(d) for d entries dropped.
if redis.call('EXISTS', events) == 0 then
  return 0
end

-- The first entry that is not yet recorded: what is pending, else what follows the last one delivered.
local recorded
for _, fields in ipairs(redis.call('XINFO', 'GROUPS', events)) do
  local info = {}
  for at = 1, #fields, 2 do
    info[fields[at]] = fields[at + 1]
  end
  if info['name'] == group then
    recorded = info['last-delivered-id']
  end
end
if not recorded then
  return 0
end
local oldest_pending = redis.call('XPENDING', events, group)[2]
if oldest_pending then
  recorded = oldest_pending
end

-- Estimated from a few of its nodes. Where the command is forbidden, the number of entries is the only bound.
local measured, bytes = pcall(redis.call, 'MEMORY', 'USAGE', events, 'SAMPLES', 5)
if redis.call('XLEN', events) > tonumber(most_entries) or (measured and tonumber(bytes) and bytes > tonumber(most_bytes)) then
  return redis.call('XTRIM', events, 'MINID', recorded)
end
local old = now - keep_ms
if old < tonumber(string.match(recorded, '^%d+')) then
  return redis.call('XTRIM', events, 'MINID', string.format('%.0f', old))
end
return redis.call('XTRIM', events, 'MINID', recorded)
