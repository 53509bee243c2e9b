-- The text that goes with the queue's data: the one that is there, else this one from now on.
--
-- KEYS: instance
-- ARGS: fresh_text
-- Returns the text
-- Cost  O(1)
return redis.call('SET', instance, fresh_text, 'NX', 'GET') or fresh_text
