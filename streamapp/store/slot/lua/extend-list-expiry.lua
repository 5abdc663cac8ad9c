#!lua
-- Let lists that frontends read live longer.
-- KEYS: lists. ARGV: 1 Unix times in seconds, 8 bytes each, little endian.
-- A list that expires later already keeps its time: a worker that slept shortens no life.
-- Returns for each list: 1, or 0 if there is no such list.
-- Safe to run twice: the second run finds the times of the first one.
local found = {}
for n, key in ipairs(KEYS) do
  local expire_at = struct.unpack('<I8', ARGV[1], 8 * n - 7)
  found[n] = redis.call('EXPIREAT', key, expire_at, 'GT')
  if found[n] == 0 then found[n] = redis.call('EXISTS', key) end
end
return found
