#!lua flags=no-writes
-- Read the clock of the server that holds a slot.
-- KEYS: 1 head.
-- Returns seconds, and microseconds beside them.
return redis.call('TIME')
