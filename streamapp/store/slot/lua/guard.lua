-- The rules that protect a slot. `scripts.py` puts this file before every script that uses `guard`.
-- KEYS[1] is the head of the slot in each of these scripts.
local guard = {}

-- Say whether the slot belongs to this state; a rebuild removes the slots of the state before.
function guard.is_state(state_id)
  return redis.call('HGET', KEYS[1], 'generation') == state_id
end

-- Say whether no other worker has claimed the slot since `owner` did.
function guard.is_owner(owner)
  return redis.call('HGET', KEYS[1], 'owner') == owner
end

-- Say whether the last write is the one that carried `token`; '' is no write.
function guard.follows(token)
  return (redis.call('HGET', KEYS[1], 'written') or '') == token
end

-- Return why a write ahead of the position is refused: -1 if the slot is gone or belongs to another
-- state, -2 if the last write is not the one with the token `before`; nil if it may go on. The last
-- write may also be this one, with the token `own`: a call is repeated when its reply is lost.
function guard.refusal(state_id, before, own)
  if not guard.is_state(state_id) then return -1 end
  if not guard.follows(before) and not guard.follows(own) then return -2 end
  return nil
end

-- Note that the write with the token `own` is complete.
function guard.written(own)
  redis.call('HSET', KEYS[1], 'written', own)
end

