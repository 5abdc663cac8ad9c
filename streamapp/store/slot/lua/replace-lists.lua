#!lua
-- Replace lists that frontends read, each only by one of a later `seq`.
-- KEYS: list, tombstone, list, tombstone ...; fewer than 2,500 lists, because Lua unpacks at most
--   8,000 values. With ARGV 6 and 7, three keys for each list: the list with its details, its
--   tombstone, and the list as readers see it.
-- ARGV: 1 seq of all lists, 2 lifetime of a tombstone in seconds, 3 Unix times in seconds at which the
--   lists expire, 8 bytes each, or '' if they do not expire, 4 sizes of the lists, 4 bytes each, 5 the
--   lists, one after the other, 6 and 7 sizes and lists as readers see them. Numbers are little
--   endian. An empty list deletes its key and leaves a
--   tombstone with its seq, so that no older list comes back.
-- Returns for each list: 1 if it was replaced, 0 if a later one is stored, or the stored list if that
--   has the same seq.
-- Safe to run twice: the second run finds the lists of the first one.
local seq, lifetime, times, sizes, lists = tonumber(ARGV[1]), ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local stored, replies, last, served_last = redis.call('MGET', unpack(KEYS)), {}, 0, 0
local width = ARGV[6] and 3 or 2
for n = 1, #KEYS / width do
  local base = width * (n - 1)
  local key, gone_key, served_key = KEYS[base + 1], KEYS[base + 2], width == 3 and KEYS[base + 3]
  local list, gone = stored[base + 1], stored[base + 2]
  local any = list or served_key and stored[base + 3]
  local first, served_first = last + 1, served_last + 1
  last = last + struct.unpack('<I4', sizes, 4 * n - 3)
  if served_key then served_last = served_last + struct.unpack('<I4', ARGV[6], 4 * n - 3) end
  local at = any and tonumber(string.match(any, '"seq":(%d+)') or 0) or 0
  if at > seq or gone and tonumber(gone) > seq then
    replies[n] = 0
  elseif at == seq and list then
    replies[n] = list
  else
    if last < first then
      redis.call('DEL', key)
      if served_key then redis.call('DEL', served_key) end
      redis.call('SET', gone_key, seq, 'EX', lifetime)
    else
      local expiry = {}
      if times ~= '' then expiry = {'EXAT', (struct.unpack('<I8', times, 8 * n - 7))} end
      redis.call('SET', key, string.sub(lists, first, last), unpack(expiry))
      if served_key then
        local served = string.sub(ARGV[7], served_first, served_last)
        redis.call('SET', served_key, served, unpack(expiry))
      end
    end
    replies[n] = 1
  end
end
return replies
