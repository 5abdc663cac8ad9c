#!lua
-- Move the position of a slot, and write the fields of the head that belong to it.
-- KEYS: 1 head, 2 item ids.
-- ARGV: 1 state id, 2 expected position, 3 new position, 4 write token of the last write, 5 number of
--   head fields, then field, value ..., then the number of items that the slot has.
-- Returns the position found: the expected one if the position moved, another one if nothing was
--   written; -1 if the slot is gone or belongs to another state; -2 if the last write is another one,
--   or is lost.
-- Safe to run twice: the second run finds the new position and writes nothing.
if not guard.is_state(ARGV[1]) then return -1 end
local found = redis.call('HGET', KEYS[1], 'position')
if found ~= ARGV[2] then return tonumber(found) end
if not guard.follows(ARGV[4]) then return -2 end
local at = 6 + 2 * tonumber(ARGV[5])
if redis.call('LLEN', KEYS[2]) ~= tonumber(ARGV[at]) then
  return redis.error_reply('ERR streamapp: the item registry has another length than the stored position says')
end
for i = 6, at - 2, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end
redis.call('HSET', KEYS[1], 'position', ARGV[3])
return tonumber(found)
