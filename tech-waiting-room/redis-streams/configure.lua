-- Change a room's settings. A room that has been opened does not return to its lobby; leaving the
-- lobby by hand cuts it off.
-- KEYS  room
-- ARGV  state, rate, active_max, claim_ms, heartbeat_ms, session_ms, starts_at
-- Returns 0; 1 when there is no room; 6 when refused.
local stage = redis.call('HGET', KEYS[1], 'stage')
if not stage then
	return 1
end
if ARGV[1] == 'lobby' and stage ~= 'lobby' then
	return 6
end
if ARGV[1] ~= 'lobby' and stage == 'lobby' then
	redis.call('HSET', KEYS[1], 'stage', 'cut', 'cut', redis.call('HGET', KEYS[1], 'tail'))
end
redis.call('HSET', KEYS[1], 'state', ARGV[1], 'rate', ARGV[2], 'active_max', ARGV[3],
	'claim_ms', ARGV[4], 'heartbeat_ms', ARGV[5], 'session_ms', ARGV[6], 'starts_at', ARGV[7])
return 0
