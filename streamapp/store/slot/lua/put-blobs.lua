#!lua
-- Write blobs of one slot, each only over an older one.
-- KEYS: 1 head, 2.. blobs.
-- ARGV: 1 generation, 2 position of the blobs, 3 mark of what was put before, 4 mark of this call,
--   5 lifetime of a blob that is gone in seconds, 6.. blobs; a blob begins with its position, 8
--   bytes, big endian; one that holds nothing else is gone, and only kept so that no older one takes
--   its place.
-- Returns the number of blobs that were left because a newer one was there; or, where nothing was
--   written, -1 if the slot is gone or of another generation, -2 if something else was put before.
-- Types are checked by reading every key before the first write: a script has no rollback.
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
