#!lua
-- Note that lists of users have reached their readers, and remove the batches that are complete.
-- KEYS: 1 head, 2 user list index, 3 pending batches.
-- ARGV: 1 owner, 2 number of users that are still pending, 3 numbers of the batches that are
--   complete, 4 new user lists version, or '' to keep the stored one, 5 users to remove from the
--   index. 3 and 5 are JSON lists of fewer than 8,000 strings.
-- Returns 0, or -1 if another worker has claimed the slot: then nothing is written.
-- Safe to run twice: the second run removes nothing and writes the same values.
-- The script reads every key before its first write, since a key of another type is an error, and a
-- script cannot undo its writes.
if not guard.is_owner(ARGV[1]) then return -1 end
redis.call('HLEN', KEYS[2])
redis.call('HLEN', KEYS[3])
local over, gone = cjson.decode(ARGV[3]), cjson.decode(ARGV[5])
if #over > 0 then redis.call('HDEL', KEYS[3], unpack(over)) end
if #gone > 0 then redis.call('HDEL', KEYS[2], unpack(gone)) end
redis.call('HSET', KEYS[1], 'due_users', ARGV[2])
if ARGV[4] ~= '' then redis.call('HSET', KEYS[1], 'seen', ARGV[4]) end
return 0
