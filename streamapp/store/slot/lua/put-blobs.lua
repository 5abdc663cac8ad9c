#!lua
-- Write blobs of one slot, each only over an older one.
-- KEYS: 1 head, 2.. blobs.
-- ARGV: 1 state id, 2 position of the blobs, 3 write token of the write before, 4 that of this write,
--   5 lifetime of a tombstone in seconds, 6.. blobs. A blob begins with its position, 8 bytes, big
--   endian. A blob without content is a tombstone, which keeps older blobs out.
-- Returns the number of blobs that were left out because a newer one is stored; or, with nothing
--   written, -1 if the slot is gone or belongs to another state, -2 if the last write is another one.
-- Safe to run twice: the second run finds its own write token and writes the same blobs.
-- The script reads every key before its first write, since a key of another type is an error, and a
-- script cannot undo its writes.
local refusal = guard.refusal(ARGV[1], ARGV[3], ARGV[4])
if refusal then return refusal end
local position = tonumber(ARGV[2])
local sizes, stale = {}, {}
for i = 2, #KEYS do
  sizes[i] = redis.call('STRLEN', KEYS[i])
  if sizes[i] >= 8 then
    stale[i] = struct.unpack('>I8', redis.call('GETRANGE', KEYS[i], 0, 7)) > position
  end
end
local kept, count, bytes = 0, 0, 0
for i = 2, #KEYS do
  local new, old = ARGV[i + 4], sizes[i] > 8 and sizes[i] or 0
  if stale[i] then
    kept = kept + 1
  elseif #new > 8 then
    redis.call('SET', KEYS[i], new)
    if old == 0 then count = count + 1 end
    bytes = bytes + #new - old
  else
    redis.call('SET', KEYS[i], new, 'EX', ARGV[5])
    if old > 0 then count = count - 1 end
    bytes = bytes - old
  end
end
guard.written(ARGV[4])
if count ~= 0 then redis.call('HINCRBY', KEYS[1], 'blobs', count) end
if bytes ~= 0 then redis.call('HINCRBY', KEYS[1], 'blob_bytes', bytes) end
return kept
