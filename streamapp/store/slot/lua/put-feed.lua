#!lua
-- Write a part of a norm feed; a part at offset 0 begins a new feed.
-- KEYS: 1 head, 2 feed.
-- ARGV: 1 state id, 2 position of the norms, 3 write token of the write before, 4 that of this write,
--   5 offset of the part in bytes, 6 the part.
-- Readers read no further than the head says, so a part is not visible before the position moves.
-- Returns 0; or, with nothing written, -1 if the slot is gone or belongs to another state, -2 if the
--   last write is another one.
-- Safe to run twice: the second run finds its own write token and writes the same part.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
if ARGV[5] == '0' then redis.call('DEL', KEYS[2]) end
redis.call('SETRANGE', KEYS[2], ARGV[5], ARGV[6])
guard.written(ARGV[4])
return 0
