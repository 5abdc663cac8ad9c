#!lua
-- Move the fence of one slot, with everything that belongs to the new position.
-- KEYS: 1 head, 2 items.
-- ARGV: 1 generation, 2 expected position, 3 new position, 4 mark of what was put last, 5 number of
--   head fields, then field, value ..., then the number of items that were put.
-- Returns the position found: the expected one if the fence moved, another if nothing was written,
--   -1 if the slot is gone or of another generation, -2 if something else was put last, or what was
--   put last is lost.
if not guard.is_state(ARGV[1]) then return -1 end
local found = redis.call('HGET', KEYS[1], 'position')
if found ~= ARGV[2] then return tonumber(found) end
if not guard.follows(ARGV[4]) then return -2 end
local at = 6 + 2 * tonumber(ARGV[5])
if redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[at]) then
  return redis.error_reply('ERR streamapp: the item registry has another length than the fence says')
end
for i = 6, at - 2, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'position', ARGV[3])
return tonumber(found)
