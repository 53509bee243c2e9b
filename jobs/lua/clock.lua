-- Returns the time of the node that serves a queue.
--
-- KEYS: (jobs)
-- ARGS: none
-- Returns milliseconds since 1970
-- Cost  O(1)
return now
