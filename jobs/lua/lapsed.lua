-- Lists the workers whose leases have lapsed, by the clock that the leases were written by.
--
-- KEYS: workers
-- ARGS: most_names
-- Returns their names
-- Cost  O(log w + n) for n of w workers
return redis.call('ZRANGEBYSCORE', workers, '-inf', now, 'LIMIT', 0, most_names)
