#!lua
-- Put the ids of items that are new to a slot behind those that it knows.
-- KEYS: 1 head, 2 items.
-- ARGV: 1 generation, 2 position of the items, 3 mark of what was put before, 4 mark of this call,
--   5 number of items known before, 6.. ids.
-- Returns the number of ids that were there, put by a worker that died before the position moved;
--   or, where nothing was written, -1 if the slot is gone or of another generation, -2 if something
--   else was put before.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
local known = tonumber(ARGV[5])
local there = redis.call('LRANGE', KEYS[2], known, known + #ARGV - 6)
if #there < #ARGV - 5 and redis.call('LLEN', KEYS[2]) ~= known + #there then
  return redis.error_reply('ERR streamapp: the item registry is shorter than the fence says')
end
for i = 1, #there do
  if there[i] ~= ARGV[5 + i] then
    return redis.error_reply('ERR streamapp: the item registry holds other items than the log')
  end
end
if #there < #ARGV - 5 then redis.call('RPUSH', KEYS[2], unpack(ARGV, 6 + #there)) end
guard.written(ARGV[4])
return #there
