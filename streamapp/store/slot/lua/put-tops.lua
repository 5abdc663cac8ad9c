#!lua
-- Write the most popular items of categories of one shard, each top only over an older one.
-- KEYS: 1 head, 2 tops, a hash by category, 3 touched, a sorted set of categories.
-- ARGV: 1 state id, 2 position of the tops, 3 write token of the write before, 4 that of this write,
--   5 whether something happened in the categories, 1 or 0, then category, top ...; a top begins with
--   its position, 8 bytes, big endian.
-- Returns the number of tops that were left out because a newer one is stored; or, with nothing
--   written, -1 if the slot is gone or belongs to another state, -2 if the last write is another one.
-- Safe to run twice: the second run finds its own write token and writes the same tops.
-- The script reads both keys before its first write, since a key of another type is an error, and a
-- script cannot undo its writes.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
redis.call('HLEN', KEYS[2])
redis.call('ZCARD', KEYS[3])
local position, kept = tonumber(ARGV[2]), 0
for i = 6, #ARGV, 2 do
  local found = redis.call('HGET', KEYS[2], ARGV[i])
  if found and struct.unpack('>I8', found) > position then
    kept = kept + 1
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
    if ARGV[5] == '1' then redis.call('ZADD', KEYS[3], ARGV[2], ARGV[i]) end
  end
end
guard.written(ARGV[4])
return kept
