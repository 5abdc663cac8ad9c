#!lua
-- Replace lists that frontends read, each only by one of a later position.
-- KEYS: list, gone, list, gone ...; ARGV: 1 seq, 2 lifetime of a gone mark in seconds, 3.. lists,
--   then, if lists are not to stay for ever, the unix time in seconds at which each is removed;
--   an empty list deletes its key and leaves a gone mark, so that no older list comes back.
--   Lua unpacks at most 8,000 values: fewer than 4,000 lists.
-- Returns for each list: 1 if it was replaced, 0 if a later one is there,
--   or the list of this very seq if that is there.
local seq, lifetime = tonumber(ARGV[1]), ARGV[2]
local standing = redis.call('MGET', unpack(KEYS))
local replies = {}
for i = 1, #KEYS, 2 do
  local new, list, gone = ARGV[2 + (i + 1) / 2], standing[i], standing[i + 1]
  local at = list and tonumber(string.match(list, '"seq":(%d+)') or 0) or 0
  if math.max(at, tonumber(gone or 0)) > seq then
    replies[#replies + 1] = 0
  elseif at == seq and list then
    replies[#replies + 1] = list
  else
    if new == '' then
      redis.call('DEL', KEYS[i])
      redis.call('SET', KEYS[i + 1], seq, 'EX', lifetime)
    elseif #ARGV > 2 + #KEYS / 2 then
      redis.call('SET', KEYS[i], new, 'EXAT', ARGV[2 + #KEYS / 2 + (i + 1) / 2])
    else
      redis.call('SET', KEYS[i], new)
    end
    replies[#replies + 1] = 1
  end
end
return replies
