-- Appends an event about jobs that SQL keeps.
--
-- KEYS: events
-- ARGS: kind, data
-- Returns 1
-- Cost  O(1)
redis.call('XADD', events, '*', 't', kind, 'd', data)
return 1
