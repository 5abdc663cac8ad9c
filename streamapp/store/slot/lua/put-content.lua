#!lua
-- Write content neighbours of one shard: a hash by item id.
-- KEYS: 1 head, 2 hash.
-- ARGV: 1 state id, 2 position of the lists, 3 write token of the write before, 4 that of this write,
--   then item id, packed list ...; an empty list removes its field.
-- The field '' keeps the largest position of any write. A reader that is behind it may find lists of
--   later positions in the hash.
-- Returns 0; or, with nothing written, -1 if the slot is gone or belongs to another state, -2 if the
--   last write is another one.
-- Safe to run twice: the second run finds its own write token and writes the same lists.
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
