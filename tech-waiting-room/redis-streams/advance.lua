-- Note what the durable record holds by now. Numbers only grow, and stages only go forward.
-- KEYS  room
-- ARGV  epoch, then one of
--       'reserve', tail_max, serving_max   the reserved numbers
--       'fix', cut                         the lobby's number of people is recorded
--       'open', lobby_hash                 the lobby's list is hashed: the seed may be shown
-- Returns 1; 0 when there is no such room in this epoch.
local room = redis.call('HMGET', KEYS[1], 'epoch', 'stage', 'tail_max', 'serving_max')
if room[1] ~= ARGV[1] then
	return 0
end
if ARGV[2] == 'reserve' then
	if tonumber(ARGV[3]) > tonumber(room[3]) then
		redis.call('HSET', KEYS[1], 'tail_max', ARGV[3])
	end
	if tonumber(ARGV[4]) > tonumber(room[4]) then
		redis.call('HSET', KEYS[1], 'serving_max', ARGV[4])
	end
elseif ARGV[2] == 'fix' and room[2] == 'cut' then
	redis.call('HSET', KEYS[1], 'stage', 'fixed', 'cut', ARGV[3])
elseif ARGV[2] == 'open' and room[2] == 'fixed' then
	redis.call('HSET', KEYS[1], 'stage', 'line', 'lobby_hash', ARGV[3], 'shuffled_here', '1')
end
return 1
