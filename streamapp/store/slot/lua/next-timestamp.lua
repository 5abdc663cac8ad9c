#!lua
-- Advance the hybrid logical clock of a slot: milliseconds of this server, and later than before.
-- KEYS: 1 head. ARGV: 1 owner, 2 a time than which the new one is later, too.
-- Returns the new time, or -1 if another worker has claimed the slot.
-- Safe to run twice: times need not be consecutive.
if not guard.is_owner(ARGV[1]) then return -1 end
local now = redis.call('TIME')
local ms = tonumber(now[1]) * 1000 + math.floor(tonumber(now[2]) / 1000)
local tick = math.max(ms, tonumber(redis.call('HGET', KEYS[1], 'tick') or 0) + 1)
tick = math.max(tick, tonumber(ARGV[2]) + 1)
redis.call('HSET', KEYS[1], 'tick', string.format('%.0f', tick))
return tick
