#!lua
-- Move the clock of a slot: milliseconds of this server, and at least one more than before.
-- KEYS: 1 head. ARGV: 1 owner.
-- Returns the clock, or -1 where somebody else has claimed the slot.
if not guard.is_owner(ARGV[1]) then return -1 end
local now = redis.call('TIME')
local ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local tick = math.max(ms, tonumber(redis.call('HGET', KEYS[1], 'tick') or 0) + 1)
redis.call('HSET', KEYS[1], 'tick', string.format('%.0f', tick))
return tick
