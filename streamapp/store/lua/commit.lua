#!lua
-- Move the fence of one slot, with everything that belongs to the new position.
-- KEYS: 1 head, 2 items, 3 norms.
-- ARGV: 1 generation, 2 expected position, 3 new position, 4 number of head fields, then field,
--   value ...,
--   then the number of items known before, the number of new items, the ids ...,
--   then the number of norm patches, then byte offset, bytes ...
-- Returns the position found: the expected one if the fence moved, another if nothing was written,
--   -1 if the slot is gone or of another generation.
if redis.call('HGET', KEYS[1], 'generation') ~= ARGV[1] then return -1 end
local found = redis.call('HGET', KEYS[1], 'position')
if found ~= ARGV[2] then return tonumber(found) end
local at = 5 + 2 * tonumber(ARGV[4])
local known, new = tonumber(ARGV[at]), tonumber(ARGV[at + 1])
if redis.call('LLEN', KEYS[2]) ~= known then
  return redis.error_reply('ERR streamapp: the item registry has another length than the fence says')
end
redis.call('STRLEN', KEYS[3])
for i = 5, at - 2, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
for i = at + 2, at + 1 + new do redis.call('RPUSH', KEYS[2], ARGV[i]) end
local patches = at + 2 + new
for i = patches + 1, patches + 2 * tonumber(ARGV[patches]), 2 do
  redis.call('SETRANGE', KEYS[3], tonumber(ARGV[i]), ARGV[i + 1])
end
redis.call('HSET', KEYS[1], 'position', ARGV[3])
return tonumber(found)
