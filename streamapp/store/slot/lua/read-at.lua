#!lua flags=no-writes
-- Read blobs of one slot together with its position.
-- KEYS: 1 head, 2.. blobs; fewer than 8,000, because Lua unpacks no more values.
-- The flag lets a Redis answer that takes no writes for now, such as one without replicas.
-- Returns the position, or '' if the slot is gone, and a list of the blobs.
local position = redis.call('HGET', KEYS[1], 'position') or ''
return { position, #KEYS > 1 and redis.call('MGET', unpack(KEYS, 2)) or {} }
