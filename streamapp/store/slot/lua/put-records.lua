#!lua
-- Write records of fixed size into a column of one slot, each only over an older one.
-- KEYS: 1 head, 2 column.
-- ARGV: 1 state id, 2 position of the records, 3 write token of the write before, 4 that of this
--   write, then byte offset, record ...; a record begins with its position, 8 bytes, big endian.
-- Returns the number of records that were left out because a newer one is stored; or, with nothing
--   written, -1 if the slot is gone or belongs to another state, -2 if the last write is another one.
-- Safe to run twice: the second run finds its own write token and writes the same records.
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
