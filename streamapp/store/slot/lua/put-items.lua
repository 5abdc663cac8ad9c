#!lua
-- Append ids of items that are new to a slot.
-- KEYS: 1 head, 2 item ids.
-- ARGV: 1 state id, 2 position of the items, 3 write token of the write before, 4 that of this write,
--   5 number of items that the slot has before, 6.. ids.
-- Returns the number of ids that were stored already, by a worker that died before it moved the
--   position; or, with nothing written, -1 if the slot is gone or belongs to another state, -2 if the
--   last write is another one.
-- Safe to run twice: the second run finds its own write token and all ids in their places.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
local known = tonumber(ARGV[5])
local there = redis.call('LRANGE', KEYS[2], known, known + #ARGV - 6)
if #there < #ARGV - 5 and redis.call('LLEN', KEYS[2]) ~= known + #there then
  return redis.error_reply('ERR streamapp: the item registry is shorter than the stored position says')
end
for i = 1, #there do
  if there[i] ~= ARGV[5 + i] then
    return redis.error_reply('ERR streamapp: the item registry holds other items than the log')
  end
end
if #there < #ARGV - 5 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 6 + #there)) end
guard.written(ARGV[4])
return #there
