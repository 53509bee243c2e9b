-- Reads one value of a memo: whole, whichever of the two forms it is kept in. One call, because between two calls the
-- value may be replaced or dropped, and half of it would pass for the whole.
--
-- KEYS: memo, memo_large
-- ARGS: memo_key
-- Returns the value, packed when it is a large one, or nothing
-- Cost  O(1)
return redis.call('HGET', memo_large, memo_key) or redis.call('HGET', memo, memo_key)
