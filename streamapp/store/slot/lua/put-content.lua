#!lua
-- Write content neighbours of one shard, a hash by item id.
-- KEYS: 1 head, 2 hash.
-- ARGV: 1 generation, 2 position of the fields, 3 mark of what was put before, 4 mark of this call,
--   then field, value ...; an empty value removes its field.
-- The field without a name keeps the largest position at which any was written: the hash may hold
--   what belongs to it, until whoever reads it has come as far.
-- Returns 0; or, where nothing was written, -1 if the slot is gone or of another generation, -2 if
--   something else was put before.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
local furthest = tonumber(redis.call('HGET', KEYS[2], '') or 0)
if furthest < tonumber(ARGV[2]) then redis.call('HSET', KEYS[2], '', ARGV[2]) end
for i = 5, #ARGV, 2 do
  if ARGV[i + 1] == '' then
    redis.call('HDEL', KEYS[2], ARGV[i])
  else
    redis.call('HSET', KEYS[2], ARGV[i], ARGV[i + 1])
  end
end
guard.written(ARGV[4])
return 0
