-- Tells which workers' leases have lapsed, by the clock that the leases were written by.
--
-- KEYS  1 workers
-- ARGV  1 how many at most
-- Returns their names
-- Cost  O(log w + n) for n of w workers
return redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now, 'LIMIT', 0, ARGV[1])
