-- Holds have been sold: their seats say so for a while, with the version that they have now.
--
-- KEYS  "sg:{event}:"
-- ARGV  how long what is known is kept at least, ms; how long a seat says so, ms; then per sale:
--       the hold's id, the order's, the version
--
-- Only where the seat is the hold's own yet: it may have been revoked and sold again since, and a
-- mark that is missing costs a query.

local prefix, keep_ms, sold_ms = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
local seats_key = prefix .. 'seats'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(now / keep_ms)

for at = 3, #ARGV, 3 do
	local hold, order, version = ARGV[at], ARGV[at + 1], ARGV[at + 2]
	local seats = redis.call('HGET', prefix .. 'holds:' .. day, hold) or
		redis.call('HGET', prefix .. 'holds:' .. day - 1, hold)
	for seat in string.gmatch(seats or '', '[^\n]+') do
		local value = redis.call('HGET', seats_key, seat)
		if value and string.sub(value, 1, 36) == hold and
			tonumber(string.sub(value, 38, 50)) > now then
			redis.call('HSET', seats_key, seat,
				string.format('%s %013d sold %s', hold, now + sold_ms, version))
		end
	end
	redis.call('SET', prefix .. 'order:' .. order, hold, 'PX', sold_ms)
end
return redis.status_reply('OK')
