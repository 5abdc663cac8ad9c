#!lua
-- Set a field of the head, for the owner of the slot.
-- KEYS: 1 head. ARGV: 1 owner, 2 field, 3 value.
-- Returns 0, or -1 if another worker has claimed the slot: then nothing is written.
-- Safe to run twice: the second run writes the same value.
if not guard.is_owner(ARGV[1]) then return -1 end
redis.call('HSET', KEYS[1], ARGV[2], ARGV[3])
return 0
