#!lua
-- Read blobs of one slot together with its position.
-- KEYS: 1 head, 2.. blobs; Lua unpacks at most 8,000 values.
-- Returns the position, an empty string if the slot is gone, and a list of the blobs.
local position = redis.call('HGET', KEYS[1], 'position') or ''
return { position, #KEYS > 1 and redis.call('MGET', unpack(KEYS, 2)) or {} }
