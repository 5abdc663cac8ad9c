#!lua
-- Replace lists that frontends read, each only by one of a later position.
-- KEYS: list, gone, list, gone ...; ARGV: 1 seq, 2 lifetime of a gone mark in seconds, 3.. lists,
--   then, if lists are not to stay for ever, the unix time in seconds at which each is removed;
--   an empty list deletes its key and leaves a gone mark, so that no older list comes back.
--   Lua unpacks at most 8,000 values: fewer than 4,000 lists.
-- Returns for each list: 1 if it was replaced, 0 if a later one is there,
--   or the list of this very seq if that is there.
local seq, lifetime, lists = tonumber(ARGV[1]), ARGV[2], #KEYS / 2
local expires = #ARGV > 2 + lists
local standing, replies = redis.call('MGET', unpack(KEYS)), {}
for n = 1, lists do
  local key, new, list, gone = KEYS[2 * n - 1], ARGV[2 + n], standing[2 * n - 1], standing[2 * n]
  local at = list and tonumber(string.match(list, '"seq":(%d+)') or 0) or 0
  if at > seq or gone and tonumber(gone) > seq then
    replies[n] = 0
  elseif at == seq and list then
    replies[n] = list
  else
    if new == '' then
      redis.call('DEL', key)
      redis.call('SET', KEYS[2 * n], seq, 'EX', lifetime)
    elseif expires then
      redis.call('SET', key, new, 'EXAT', ARGV[2 + lists + n])
    else
      redis.call('SET', key, new)
    end
    replies[n] = 1
  end
end
return replies
