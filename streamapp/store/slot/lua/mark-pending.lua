#!lua
-- Mark the lists of some users as pending, as one batch.
-- KEYS: 1 head, 2 user list index, 3 pending batches.
-- ARGV: 1 owner, 2 number of pending users, this batch included, 3 numbers of the batches that are
--   complete, a JSON list of strings, 4 Unix time in seconds at which the lists expire, or '' to keep
--   the stored time, 5 number of this batch, 6 its users, a JSON list. JSON lists have fewer than
--   4,000 entries, because Lua unpacks at most 8,000 values.
-- Returns 0, or -1 if another worker has claimed the slot: then nothing is written.
-- Safe to run twice: the second run writes the same values.
-- The script reads every key before its first write, since a key of another type is an error, and a
-- script cannot undo its writes.
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
