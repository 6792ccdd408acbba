-- How a room stands.
-- KEYS  room, active
-- Returns {0} without a room, else the numbers and texts in the order in which
-- redis_streams_reply.c reads them.
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local r = redis.call('HMGET', KEYS[1], 'stage', 'state', 'rate', 'active_max', 'claim_ms',
	'heartbeat_ms', 'session_ms', 'starts_at', 'epoch', 'serving', 'tail', 'waiting',
	'admitted', 'cut', 'quiet_until', 'had_lobby', 'seed', 'lobby_hash')
if not r[1] then
	return {0}
end
local in_lobby = r[1] ~= 'line'
local size = tonumber(r[14] or 0)
if r[1] == 'lobby' then
	size = tonumber(r[11])
end
return {1, in_lobby and 'lobby' or r[2], r[3], tonumber(r[4]), tonumber(r[5]), tonumber(r[6]),
	tonumber(r[7]), tonumber(r[8]), tonumber(r[9]), tonumber(r[10]),
	in_lobby and 0 or tonumber(r[11]), tonumber(r[12]),
	redis.call('ZCOUNT', KEYS[2], '(' .. now, '+inf'), tonumber(r[13]), size,
	now >= tonumber(r[15]) and 1 or 0, (r[16] == '1' and not in_lobby) and 1 or 0, r[17],
	r[18] or ''}
