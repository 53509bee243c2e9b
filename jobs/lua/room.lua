-- Does nothing, and is refused as a push would be: Redis looks whether there is room before it begins.
--
-- KEYS  1 any key of the queue
-- Returns 1
-- Cost  O(1)
return 1
