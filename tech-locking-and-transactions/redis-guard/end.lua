-- Holds and sales have ended: the keys that are theirs go. Their records stay, since whoever
-- repeats the request must be let through.
--
-- KEYS  "sg:{event}:"
-- ARGV  per end: "hold" and its id, or "order" and the id of the order whose sale was revoked

local prefix = KEYS[1]
local generation = redis.call('GET', prefix .. 'generation') or '0'
local seat_prefix = prefix .. 'seat:' .. generation .. ':'

for at = 1, #ARGV, 2 do
	local hold = ARGV[at + 1]
	if ARGV[at] == 'order' then
		local order = prefix .. 'order:' .. hold
		hold = redis.call('GET', order)
		redis.call('DEL', order)
	end
	local seats = hold and redis.call('GET', prefix .. 'hold:' .. hold)
	for seat in string.gmatch(seats or '', '[^\n]+') do
		local name = seat_prefix .. seat
		local value = redis.call('GET', name)
		if value and string.sub(value, 1, 36) == hold then
			redis.call('DEL', name)
		end
	end
end
return redis.status_reply('OK')
