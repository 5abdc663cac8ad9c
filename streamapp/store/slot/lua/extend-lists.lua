#!lua
-- Set new expiry times of lists that frontends read.
-- KEYS: lists. ARGV: 1 Unix times in seconds, 8 bytes each, little endian.
-- Returns for each list: 1, or 0 if there is no such list.
-- Safe to run twice: the second run sets the same times.
local found = {}
for n, key in ipairs(KEYS) do
  local expire_at = struct.unpack('<I8', ARGV[1], 8 * n - 7)
  found[n] = redis.call('EXPIREAT', key, expire_at)
end
return found
