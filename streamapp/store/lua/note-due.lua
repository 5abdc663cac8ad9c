#!lua
-- Note users of a slot whose lists are due, in one round.
-- KEYS: 1 head, 2 audience, 3 due.
-- ARGV: 1 owner, 2 how many users are due by now, 3 Unix time in seconds at which the lists are
--   removed, or an empty string to leave that as it is, 4 number of the round, 5 users, a JSON list
--   of fewer than 4,000: Lua unpacks at most 8,000 values.
-- Returns 0, or -1 where somebody else has claimed the slot: then nothing is written.
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return -1 end
if ARGV[3] ~= '' then
  local noted = {}
  for i, user in ipairs(cjson.decode(ARGV[5])) do
    noted[2 * i - 1], noted[2 * i] = user, ARGV[3]
  end
  redis.call('HSET', KEYS[2], unpack(noted))
end
redis.call('HSET', KEYS[3], ARGV[4], ARGV[5])
redis.call('HSET', KEYS[1], 'due_users', ARGV[2])
return 0
