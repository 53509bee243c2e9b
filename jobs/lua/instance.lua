-- The text that goes with the queue's data: the one that is there, else this one from now on.
--
-- KEYS  1 instance
-- ARGV  1 a new text
-- Returns the text
-- Cost  O(1)
return redis.call('SET', KEYS[1], ARGV[1], 'NX', 'GET') or ARGV[1]
