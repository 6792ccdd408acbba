-- Claim the seats of several requests of one event, as if they came one after the other.
--
-- KEYS  "sg:{event}:", which the names of all keys begin with: they are in its slot
-- ARGV  how long a seat is pending, ms; how long what is known is kept at least, ms; then per
--       request: the hold's id, the number of its seats, and these
-- Returns the time, Unix ms, and per request
--   0           claimed: its seats are pending
--   -1          to be asked without: the id is known, or it names a seat that may not exist
--   n > 0       refused: the seats whose bits are set are others'
--   {n, r, …}   must wait for what becomes of the requests r of this call (0: cannot be said). When
--               all of them are granted, it is refused as by n.

local prefix, keep_ms = KEYS[1], tonumber(ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local day = math.floor(now / keep_ms)
local seats_key, holds_key = prefix .. 'seats', prefix .. 'holds:' .. day
local pending_until = string.format(' %013d ', now + tonumber(ARGV[1]))
local reply = {now}

-- A seat's value is "<hold> <until> <state>": 36, 13 and more characters.
local function is_owned(value)
	return value and value ~= '' and tonumber(string.sub(value, 38, 50)) > now
end

-- Nobody knows it of a seat that was only asked for.
local function exists(value)
	return value and string.sub(value, 52, 52) ~= 'a'
end

-- All of them by one command.
local seats, holds, at = {}, {}, 3
while at <= #ARGV do
	holds[#holds + 1] = ARGV[at]
	local last = at + 1 + tonumber(ARGV[at + 1])
	for i = at + 2, last do
		seats[#seats + 1] = ARGV[i]
	end
	at = last + 1
end
local values = redis.call('HMGET', seats_key, unpack(seats))
local records = redis.call('HMGET', holds_key, unpack(holds))
local older = redis.call('HMGET', prefix .. 'holds:' .. day - 1, unpack(holds))

-- by[seat]: the request of this call that has claimed it; 0 where one may get it that is not
-- decided here. seen[hold]: a request of this call with the same id is not decided here.
local by, seen = {}, {}

-- Look at each seat: whose it is, as bits, and which requests that depends on.
local function look(hold, first, count)
	local bits, waits, doubtful = 0, {}, false
	for i = 0, count - 1 do
		local value, claimer = values[first + i], by[seats[first + i]]
		if is_owned(value) and string.sub(value, 1, 36) ~= hold then
			bits = bits + 2 ^ i
		elseif claimer == 0 then
			waits[#waits + 1] = 0
		elseif claimer then
			bits = bits + 2 ^ i
			waits[#waits + 1] = claimer
		end
	end
	for i = 0, bits > 0 and count - 1 or -1 do
		local claimer = by[seats[first + i]]
		local claimed = claimer and claimer > 0
		doubtful = doubtful or not claimed and not exists(values[first + i])
	end
	return bits, waits, doubtful
end

local function judge(number, first, count)
	local hold = holds[number]
	if seen[hold] then
		return {0, 0}
	elseif records[number] or older[number] then
		return -1
	end
	local bits, waits, doubtful = look(hold, first, count)
	if #waits > 0 then
		waits[#waits + 1] = doubtful and 0 or nil
		return {bits, unpack(waits)}
	elseif bits > 0 and doubtful then
		return -1
	end
	return bits
end

local claimed, recorded, first = {}, {}, 1
at = 3
for number = 1, #holds do
	local hold, count = holds[number], tonumber(ARGV[at + 1])
	local verdict = judge(number, first, count)
	if verdict == 0 then
		for i = first, first + count - 1 do
			by[seats[i]] = number
			if not is_owned(values[i]) then
				claimed[#claimed + 1] = seats[i]
				claimed[#claimed + 1] = hold .. pending_until ..
					(exists(values[i]) and 'pending' or 'asked')
			end
		end
		recorded[#recorded + 1] = hold
		recorded[#recorded + 1] = table.concat(seats, '\n', first, first + count - 1)
	elseif verdict == -1 or type(verdict) == 'table' then
		for i = first, first + count - 1 do
			by[seats[i]] = by[seats[i]] or 0
		end
	end
	if type(verdict) == 'table' or verdict <= 0 then
		seen[hold] = true
	end
	reply[number + 1] = verdict
	at, first = at + 2 + count, first + count
end
if #claimed > 0 then
	redis.call('HSET', seats_key, unpack(claimed))
	redis.call('PEXPIRE', seats_key, keep_ms)
end
if #recorded > 0 then
	redis.call('HSET', holds_key, unpack(recorded))
	redis.call('PEXPIRE', holds_key, 2 * keep_ms)
end
return reply
