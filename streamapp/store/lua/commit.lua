#!lua
-- Move the fence of one slot, with everything that belongs to the new position.
-- KEYS: 1 head, 2 items.
-- ARGV: 1 generation, 2 expected position, 3 new position, 4 number of head fields, then field,
--   value ...,
--   then the number of items known before, and the ids of new ones ...
-- Returns the position found: the expected one if the fence moved, another if nothing was written,
--   -1 if the slot is gone or of another generation.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return -1 end
local found = redis.call('HGET', KEYS[1], 'position')
if found ~= ARGV[2] then return tonumber(found) end
local at = 5 + 2 * tonumber(ARGV[4])
local known = tonumber(ARGV[at])
if redis.call('LLEN', KEYS[2]) ~= known then
  return redis.error_reply('ERR streamapp: the item registry has another length than the fence says')
end
for i = 5, at - 2, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = at + 1, #ARGV, 1000 do
  redis.call('RPUSH', KEYS[2], unpack(ARGV, i, math.min(i + 999, #ARGV)))
end
redis.call('HSET', KEYS[1], 'position', ARGV[3])
return tonumber(found)
