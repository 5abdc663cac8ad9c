#!lua
-- Have lists that frontends read be removed at other times.
-- KEYS: lists; ARGV: unix times in seconds, 8 bytes each, little endian.
-- Returns for each list: 1, or 0 where there is none.
local found = {}
for n, key in ipairs(KEYS) do
  local expire_at = struct.unpack('<I8', ARGV[1], 8 * n - 7)
  found[n] = redis.call('EXPIREAT', key, expire_at)
end
return found
