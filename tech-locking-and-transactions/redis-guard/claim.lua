-- Claim the seats of several requests of one event, as if they came one after the other.
--
-- KEYS  "sg:{event}:", which the names of all keys begin with: they are in its slot
-- ARGV  how long a pending key lives, ms; then per request: the hold's id, how long its record
--       lives, the number of its seats, and these
-- Returns the time, Unix ms, and per request
--   0           claimed: its seats have pending keys
--   -1          to be asked without: the id is known, or it names a seat that may not exist
--   n > 0       refused: the seats whose bits are set are others'
--   {n, r, …}   must wait for what becomes of the requests r of this call (0: cannot be said). When
--               all of them are granted, it is refused as by n.

local PENDING, HELD_AT = ' pending', 38
local prefix, pending_ms = KEYS[1], ARGV[1]
local generation = redis.call('GET', prefix .. 'generation') or '0'
local seat_prefix = prefix .. 'seat:' .. generation .. ':'
local time = redis.call('TIME')
local reply = {time[1] * 1000 + math.floor(time[2] / 1000)}

-- All keys by one command.
local names, at = {}, 2
while at <= #ARGV do
	names[#names + 1] = prefix .. 'hold:' .. ARGV[at]
	local last = at + 2 + tonumber(ARGV[at + 2])
	for i = at + 3, last do
		names[#names + 1] = seat_prefix .. ARGV[i]
	end
	at = last + 1
end
local values = redis.call('MGET', unpack(names))

-- A held or a sold seat exists, of a pending one nobody knows yet.
local function exists(seat, value)
	return value and string.sub(value, HELD_AT, HELD_AT) ~= 'p' or
		redis.call('SISMEMBER', prefix .. 'known', seat) == 1
end

-- by[seat]: the request of this call that has claimed it; 0 where one may get it that is not
-- decided here. seen[hold]: a request of this call with the same id is not decided here.
local by, seen = {}, {}

-- Look at each seat: whose it is, as bits, and which requests that depends on.
local function look(hold, first, count, value_at)
	local bits, waits, doubtful = 0, {}, false
	for i = 0, count - 1 do
		local seat, value = ARGV[first + i], values[value_at + i]
		local claimer = by[seat]
		if value and string.sub(value, 1, 36) ~= hold then
			bits = bits + 2 ^ i
		elseif claimer == 0 then
			waits[#waits + 1] = 0
		elseif claimer then
			bits = bits + 2 ^ i
			waits[#waits + 1] = claimer
		end
	end
	for i = 0, bits > 0 and count - 1 or -1 do
		local seat = ARGV[first + i]
		local claimed = by[seat] and by[seat] > 0
		doubtful = doubtful or not claimed and not exists(seat, values[value_at + i])
	end
	return bits, waits, doubtful
end

local function judge(hold, first, count, value_at)
	if seen[hold] then
		return {0, 0}
	elseif values[value_at - 1] then
		return -1
	end
	local bits, waits, doubtful = look(hold, first, count, value_at)
	if #waits > 0 then
		waits[#waits + 1] = doubtful and 0 or nil
		return {bits, unpack(waits)}
	elseif bits > 0 and doubtful then
		return -1
	end
	return bits
end

local number, read = 0, 0
at = 2
while at <= #ARGV do
	local hold, life_ms, count = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
	local first, value_at = at + 3, read + 2
	local verdict = judge(hold, first, count, value_at)
	number = number + 1
	if verdict == 0 then
		for i = 0, count - 1 do
			by[ARGV[first + i]] = number
			if not values[value_at + i] then
				redis.call('SET', names[value_at + i], hold .. PENDING,
					'PX', pending_ms)
			end
		end
		redis.call('SET', names[value_at - 1],
			table.concat(ARGV, '\n', first, first + count - 1), 'PX', life_ms)
	elseif verdict == -1 or type(verdict) == 'table' then
		for i = 0, count - 1 do
			by[ARGV[first + i]] = by[ARGV[first + i]] or 0
		end
	end
	if type(verdict) == 'table' or verdict <= 0 then
		seen[hold] = true
	end
	reply[number + 1] = verdict
	at, read = first + count, read + 1 + count
end
return reply
