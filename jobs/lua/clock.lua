-- Tells the time of the node that serves a queue.
--
-- KEYS  1 any key of the queue
-- Returns milliseconds since 1970
-- Cost  O(1)
return now
