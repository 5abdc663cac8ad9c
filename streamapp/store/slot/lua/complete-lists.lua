#!lua
-- Note rounds of users of a slot whose lists have all reached their readers.
-- KEYS: 1 head, 2 audience, 3 due.
-- ARGV: 1 owner, 2 how many users are still due, 3 rounds that are over, 4 what the lists of items
--   were like when all lists here were last compared with them, or an empty string to leave that as
--   it is, 5 users who leave the audience. 3 and 5 are JSON lists of strings, fewer than 8,000.
-- Returns 0, or -1 where somebody else has claimed the slot: then nothing is written.
-- Types are checked by reading every key before the first write: a script has no rollback.
if not guard.is_owner(ARGV[1]) then return -1 end
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
local over, gone = cjson.decode(ARGV[3]), cjson.decode(ARGV[5])
if #over > 0 then redis.call('HDEL', KEYS[3], unpack(over)) end
if #gone > 0 then redis.call('HDEL', KEYS[2], unpack(gone)) end
redis.call('HSET', KEYS[1], 'due_users', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'seen', ARGV[4]) end
return 0
