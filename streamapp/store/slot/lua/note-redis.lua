#!lua
-- Note the identity of the Redis that has not lost lists of a slot, as far as its owner knows.
-- KEYS: 1 head. ARGV: 1 state id, 2 identity.
-- Returns 0, or -1 if the slot is gone or belongs to another state: then nothing is written.
-- Safe to run twice: the second run writes the same value.
if not guard.is_state(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], 'redis', ARGV[2])
return 0
