-- Make a room, unless there is one: a new one, or the next epoch of one whose memory is lost.
-- KEYS  room, queue
-- ARGV  epoch, state, rate, active_max, claim_ms, heartbeat_ms, session_ms, starts_at, stage,
--       had_lobby, cut, tail, tail_max, serving, serving_max, seed, lobby_hash, quiet_ms
-- Returns 1 when it was made, 0 when there was one.
if redis.call('EXISTS', KEYS[1]) == 1 then
	return 0
end
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
redis.call('XGROUP', 'CREATE', KEYS[2], 'admission', '0', 'MKSTREAM')
redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'state', ARGV[2], 'rate', ARGV[3],
	'active_max', ARGV[4], 'claim_ms', ARGV[5], 'heartbeat_ms', ARGV[6], 'session_ms', ARGV[7],
	'starts_at', ARGV[8], 'stage', ARGV[9], 'had_lobby', ARGV[10], 'cut', ARGV[11],
	'tail', ARGV[12], 'tail_max', ARGV[13], 'serving', ARGV[14], 'serving_max', ARGV[15],
	'seed', ARGV[16], 'waiting', 0, 'admitted', 0, 'quiet_until', 0,
	'tokens', math.max(1, tonumber(ARGV[3])),
	'tokens_at', now)
if ARGV[17] ~= '' then
	redis.call('HSET', KEYS[1], 'lobby_hash', ARGV[17])
end
if tonumber(ARGV[18]) > 0 then
	redis.call('HSET', KEYS[1], 'quiet_until', now + tonumber(ARGV[18]))
end
return 1
