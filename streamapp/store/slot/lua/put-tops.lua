#!lua
-- Write what is popular in categories of one shard, each only over an older one.
-- KEYS: 1 head, 2 tops, a hash by category, 3 touched, a sorted set of categories.
-- ARGV: 1 generation, 2 position of the tops, 3 mark of what was put before, 4 mark of this call,
--   5 whether something happened in the categories, 1 or 0, then category, top ...; a top begins
--   with its position, 8 bytes, big endian.
-- Returns the number of tops that were left because a newer one was there; or, where nothing was
--   written, -1 if the slot is gone or of another generation, -2 if something else was put before.
-- Types are checked by reading both keys before the first write: a script has no rollback.
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
