#!lua
-- Replace lists that frontends read, each only by one of a later `seq`.
-- KEYS: list, tombstone, list, tombstone ...; fewer than 4,000 lists, because Lua unpacks at most
--   8,000 values.
-- ARGV: 1 seq of all lists, 2 lifetime of a tombstone in seconds, 3 Unix times in seconds at which the
--   lists expire, 8 bytes each, or '' if they do not expire, 4 sizes of the lists, 4 bytes each, 5 the
--   lists, one after the other. Numbers are little endian. An empty list deletes its key and leaves a
--   tombstone with its seq, so that no older list comes back.
-- Returns for each list: 1 if it was replaced, 0 if a later one is stored, or the stored list if that
--   has the same seq.
-- Safe to run twice: the second run finds the lists of the first one.
local seq, lifetime, times, sizes, lists = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stored, replies, last = redis.call('MGET', unpack(KEYS)), {}, 0
for n = 1, #KEYS / 2 do
  local key, list, gone = KEYS[2 * n - 1], stored[2 * n - 1], stored[2 * n]
  local first = last + 1
  last = last + struct.unpack('<I4', sizes, 4 * n - 3)
  local at = list and tonumber(string.match(list, '"seq":(%d+)') or 0) or 0
  if at > seq or gone and tonumber(gone) > seq then
    replies[n] = 0
  elseif at == seq and list then
    replies[n] = list
  else
    if last < first then
      redis.call('DEL', key)
      redis.call('SET', KEYS[2 * n], seq, 'EX', lifetime)
    elseif times ~= '' then
      local expire_at = struct.unpack('<I8', times, 8 * n - 7)
      redis.call('SET', key, string.sub(lists, first, last), 'EXAT', expire_at)
    else
      redis.call('SET', key, string.sub(lists, first, last))
    end
    replies[n] = 1
  end
end
return replies
