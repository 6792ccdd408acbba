-- Holds and sales have ended: the seats that are theirs are nobody's. Their records stay, since
-- whoever repeats the request must be let through.
--
-- KEYS  "sg:{event}:"
-- ARGV  how long what is known is kept at least, ms; then per end: "hold" and its id, or "order"
--       and the id of the order whose sale was revoked

local prefix, time = KEYS[1], redis.call('TIME')
local day = math.floor(time[1] * 1000 / tonumber(ARGV[1]))
local seats_key = prefix .. 'seats'

for at = 2, #ARGV, 2 do
	local hold = ARGV[at + 1]
	if ARGV[at] == 'order' then
		local order = prefix .. 'order:' .. hold
		hold = redis.call('GET', order)
		redis.call('DEL', order)
	end
	local seats = hold and (redis.call('HGET', prefix .. 'holds:' .. day, hold) or
		redis.call('HGET', prefix .. 'holds:' .. day - 1, hold))
	for seat in string.gmatch(seats or '', '[^\n]+') do
		local value = redis.call('HGET', seats_key, seat)
		if value and string.sub(value, 1, 36) == hold then
			redis.call('HSET', seats_key, seat, '')
		end
	end
end
return redis.status_reply('OK')
