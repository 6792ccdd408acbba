-- Holds have been sold: their keys say so for a while, with the version that the seats have now.
--
-- KEYS  "sg:{event}:"
-- ARGV  how long that is, ms; then per sale: the hold's id, the order's, the version
--
-- Only where the hold's own key still is: a seat without one may have been revoked and sold again
-- since, and a marker that is missing costs a query.

local prefix, sold_ms = KEYS[1], ARGV[1]
local generation = redis.call('GET', prefix .. 'generation') or '0'
local seat_prefix = prefix .. 'seat:' .. generation .. ':'

for at = 2, #ARGV, 3 do
	local hold, order, version = ARGV[at], ARGV[at + 1], ARGV[at + 2]
	local seats = redis.call('GET', prefix .. 'hold:' .. hold)
	for seat in string.gmatch(seats or '', '[^\n]+') do
		local name = seat_prefix .. seat
		local value = redis.call('GET', name)
		if value and string.sub(value, 1, 36) == hold then
			redis.call('SET', name, hold .. ' sold ' .. version, 'PX', sold_ms)
		end
	end
	redis.call('SET', prefix .. 'order:' .. order, hold, 'PX', sold_ms)
end
return redis.status_reply('OK')
