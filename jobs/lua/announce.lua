-- Appends an event about jobs that SQL keeps.
--
-- KEYS  1 events
-- ARGV  1 type  2 data
-- Returns 1
-- Cost  O(1)
redis.call('XADD', KEYS[1], '*', 't', ARGV[1], 'd', ARGV[2])
return 1
