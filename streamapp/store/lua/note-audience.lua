#!lua
-- Note which users of a slot have a list, or are to get one.
-- KEYS: 1 head, 2 audience.
-- ARGV: 1 owner, 2 what the lists of items were like when all lists here were last compared with
--   them, or an empty string to leave that as it is, then user, note ...; an empty note removes the
--   user, one that begins with "-" says that the user's list is due. Lua unpacks at most 8,000
--   values: fewer than 4,000 users.
-- Returns 0, or -1 where somebody else has claimed the slot: then nothing is written.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
local users, gone, noted, due = {}, {}, {}, 0
for i = 3, #ARGV, 2 do
  users[#users + 1] = ARGV[i]
  local into = ARGV[i + 1] == '' and gone or noted
  into[#into + 1] = ARGV[i]
  if into == noted then into[#into + 1] = ARGV[i + 1] end
  if string.sub(ARGV[i + 1], 1, 1) == '-' then due = due + 1 end
end
if #users > 0 then
  for _, before in ipairs(redis.call('HMGET', KEYS[2], unpack(users))) do
    if before and string.sub(before, 1, 1) == '-' then due = due - 1 end
  end
end
if #gone > 0 then redis.call('HDEL', KEYS[2], unpack(gone)) end
if #noted > 0 then redis.call('HSET', KEYS[2], unpack(noted)) end
if due ~= 0 then redis.call('HINCRBY', KEYS[1], 'due_users', due) end
if ARGV[2] ~= '' then redis.call('HSET', KEYS[1], 'seen', ARGV[2]) end
return 0
