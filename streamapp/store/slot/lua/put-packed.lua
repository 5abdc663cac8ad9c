#!lua
-- Write records of fixed size into a string of one slot, each only over an older one.
-- KEYS: 1 head, 2 records.
-- ARGV: 1 generation, 2 position of the records, 3 mark of what was put before, 4 mark of this call,
--   then byte offset, record ...; a record begins with its position, 8 bytes, big endian.
-- Returns the number of records that were left because a newer one was there; or, where nothing was
--   written, -1 if the slot is gone or of another generation, -2 if something else was put before.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
local position, kept = tonumber(ARGV[2]), 0
for i = 5, #ARGV, 2 do
  local at = tonumber(ARGV[i])
  local found = redis.call('GETRANGE', KEYS[2], at, at + 7)
  if #found == 8 and struct.unpack('>I8', found) > position then
    kept = kept + 1
  else
    redis.call('SETRANGE', KEYS[2], at, ARGV[i + 1])
  end
end
guard.written(ARGV[4])
return kept
