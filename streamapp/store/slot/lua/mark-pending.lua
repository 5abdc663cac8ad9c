#!lua
-- Note users of a slot whose lists are due, in one round.
-- KEYS: 1 head, 2 audience, 3 due.
-- ARGV: 1 owner, 2 how many users are due by now, 3 rounds that are over, a JSON list of strings,
--   4 Unix time in seconds at which the lists are removed, or an empty string to leave that as it is,
--   5 number of the round, 6 users, a JSON list. Lists have fewer than 4,000 entries: Lua unpacks at
--   most 8,000 values.
-- Returns 0, or -1 where somebody else has claimed the slot: then nothing is written.
-- Types are checked by reading every key before the first write: a script has no rollback.
if not guard.is_owner(ARGV[1]) then return -1 end
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
if ARGV[4] ~= '' then
  local noted = {}
  for i, user in ipairs(cjson.decode(ARGV[6])) do
    noted[2 * i - 1], noted[2 * i] = user, ARGV[4]
  end
  redis.call('HSET', KEYS[2], unpack(noted))
end
local over = cjson.decode(ARGV[3])
if #over > 0 then redis.call('HDEL', KEYS[3], unpack(over)) end
redis.call('HSET', KEYS[3], ARGV[5], ARGV[6])
redis.call('HSET', KEYS[1], 'due_users', ARGV[2])
return 0
