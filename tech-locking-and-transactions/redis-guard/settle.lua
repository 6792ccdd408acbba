-- The store has answered: seats of what was granted are held as long as the hold, nearly; the
-- others are nobody's.
--
-- KEYS  "sg:{event}:"
-- ARGV  how long what is known is kept at least, ms; then per request: what to do, the hold's id,
--       until when it has its seats (Unix ms by this clock), its version, the number of its seats,
--       and these. What to do:
--   keep   it was granted just now
--   end    it was granted earlier, and may be over: the record stays
--   taken  it was refused, and its seats exist: the record goes
--   drop   it was refused, or nothing was done: the record goes
--   other  the id is another request's: the record stays
--   known  nothing but that its seats exist
--
-- A seat that is another's by now is left alone, and one that is sold already stays it.

local prefix, keep_ms = KEYS[1], tonumber(ARGV[1])
local seats_key = prefix .. 'seats'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local seats, values, at = {}, {}, 2
while at <= #ARGV do
	local last = at + 4 + tonumber(ARGV[at + 4])
	for i = at + 5, last do
		seats[#seats + 1] = ARGV[i]
	end
	at = last + 1
end
for i, value in ipairs(redis.call('HMGET', seats_key, unpack(seats))) do
	values[seats[i]] = value
end

-- What the seat's value is from now on; false where there is none.
local function settle(value, action, hold, ends, version)
	local state = value and string.sub(value, 52, 52) or ''
	local exist = action ~= 'drop' and action ~= 'other' or value and state ~= 'a'
	if action ~= 'known' and value and string.sub(value, 1, 36) == hold then
		if action ~= 'keep' or ends <= now then
			return exist and ''
		elseif state == 'a' or state == 'p' then
			return string.format('%s %013d held %s', hold, ends, version)
		end
	elseif exist and not value then
		return ''
	elseif exist and state == 'a' then
		return string.sub(value, 1, 51) .. 'pending'
	end
	return value
end

local written, removed, forgotten = {}, {}, {}
at = 2
while at <= #ARGV do
	local action, hold, ends = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
	local version, count = ARGV[at + 3], tonumber(ARGV[at + 4])
	for i = at + 5, at + 4 + count do
		local seat = ARGV[i]
		local value = settle(values[seat], action, hold, ends, version)
		if value and value ~= values[seat] then
			written[#written + 1] = seat
			written[#written + 1] = value
		elseif not value and values[seat] then
			removed[#removed + 1] = seat
		end
		values[seat] = value
	end
	if action == 'taken' or action == 'drop' then
		forgotten[#forgotten + 1] = hold
	end
	at = at + 5 + count
end
if #removed > 0 then
	redis.call('HDEL', seats_key, unpack(removed))
end
if #written > 0 then
	redis.call('HSET', seats_key, unpack(written))
	redis.call('PEXPIRE', seats_key, keep_ms)
end
if #forgotten > 0 then
	local day = math.floor(now / keep_ms)
	redis.call('HDEL', prefix .. 'holds:' .. day, unpack(forgotten))
	redis.call('HDEL', prefix .. 'holds:' .. day - 1, unpack(forgotten))
end
return redis.status_reply('OK')
