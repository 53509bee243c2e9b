-- Reads one value of a memo: whole, whichever of the two forms it is kept in. One call, because between two calls the
-- value may be replaced or dropped, and half of it would pass for the whole.
--
-- KEYS  1 memo:{function}  2 its large values
-- ARGV  1 key
-- Returns the value, packed when it is a large one, or nothing
-- Cost  O(1)
return redis.call('HGET', KEYS[2], ARGV[1]) or redis.call('HGET', KEYS[1], ARGV[1])
