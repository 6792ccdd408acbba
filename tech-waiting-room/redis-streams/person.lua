-- One of four things that happen to single people of one event.
--
-- KEYS  room, people, active, back
-- ARGV  'look_up', 'heartbeat', 'claim' or 'leave'; then per request: person, and of a pass that
--       was shown (else 0): place, epoch, when called
-- Returns {code, epoch, number, …}:
--   0  the number is 1 when ranks have become places; then per request: record, 1 when this call
--      made it so, when the pass ends (0 when not active)
--   1  there is no room

local operation = ARGV[1]
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local room = redis.call('HMGET', KEYS[1], 'epoch', 'claim_ms', 'heartbeat_ms', 'session_ms',
	'active_max', 'quiet_until', 'waiting', 'stage')
if not room[1] then
	return {1, 0, 0}
end
local epoch, claim_ms, heartbeat_ms = tonumber(room[1]), tonumber(room[2]), tonumber(room[3])
local session_ms, active_max = tonumber(room[4]), tonumber(room[5])
local quiet_until, waiting = tonumber(room[6]), tonumber(room[7])

local count = (#ARGV - 1) / 4
local people, fresh = {}, {}
for i = 1, count do
	people[i] = ARGV[4 * i - 2]
end
local known = redis.call('HMGET', KEYS[2], unpack(people))

local function remember(person, record)
	fresh[person] = record
	redis.call('HSET', KEYS[2], person, record)
end

-- The end of a pass, with the silence it may not exceed or without.
local function pass_ends(at, claimed)
	return claimed and at + session_ms or at + math.min(claim_ms, session_ms)
end

local function stay_active(person, at, claimed)
	redis.call('ZADD', KEYS[3], math.min(pass_ends(at, claimed), now + heartbeat_ms), person)
end

-- Somebody who was active before the room lost its memory, and is counted again. The place may be
-- in line already.
local function was_active(person, record, place, pass_epoch, at)
	if pass_epoch == 0 or pass_epoch >= epoch or now >= quiet_until or at + session_ms <= now or
			redis.call('ZCARD', KEYS[3]) >= active_max then
		return false
	end
	if record and string.sub(record, 1, 1) ~= 'w' then
		return false
	end
	if record then
		redis.call('ZREM', KEYS[4], person)
		waiting = waiting - 1
	end
	return true
end

local reply = {0, epoch, room[8] == 'line' and 1 or 0}
for i = 1, count do
	local person = people[i]
	local record = fresh[person] or known[i]
	local changed, ends = 0, 0
	local kind = record and string.sub(record, 1, 1)
	local place, pass_epoch, pass_at =
		tonumber(ARGV[4 * i - 1]), tonumber(ARGV[4 * i]), tonumber(ARGV[4 * i + 1])
	if kind == 'a' then
		local deadline = tonumber(redis.call('ZSCORE', KEYS[3], person) or 0)
		if deadline <= now then
			kind, record = 'x', 'x' .. string.sub(record, 2)
			redis.call('ZREM', KEYS[3], person)
			remember(person, record)
		end
	end
	if operation == 'heartbeat' and kind ~= 'a' and place > 0 and
			was_active(person, record, place, pass_epoch, pass_at) then
		kind, record, changed = 'a', string.format('a%d,0,%d,1', place, pass_at), 1
		remember(person, record)
		stay_active(person, pass_at, true)
	end
	if kind == 'a' then
		local head, at, claimed = string.match(record, '^(a%d+,%d+,)(%d+),(%d)$')
		at, claimed = tonumber(at), claimed == '1'
		if operation == 'leave' then
			redis.call('ZREM', KEYS[3], person)
			record, changed = 'l' .. string.sub(record, 2), 1
			remember(person, record)
		else
			if operation == 'claim' and not claimed then
				claimed, changed = true, 1
				record = head .. string.format('%d,1', at)
				remember(person, record)
			end
			if operation ~= 'look_up' then
				stay_active(person, at, claimed)
			end
			ends = pass_ends(at, claimed)
		end
	elseif operation == 'leave' and (kind == 'w' or kind == 'r') then
		local number, rank = string.match(record, '(%d+),?(%d*)')
		if kind == 'r' then
			number, rank = 0, number
		end
		redis.call('ZREM', KEYS[4], person)
		record = string.format('l%d,%d,0,0', number, rank ~= '' and rank or 0)
		changed, waiting = 1, waiting - 1
		remember(person, record)
	end
	reply[#reply + 1] = record or ''
	reply[#reply + 1] = changed
	reply[#reply + 1] = ends
end
if waiting ~= tonumber(room[7]) then
	redis.call('HSET', KEYS[1], 'waiting', waiting)
end
return reply
