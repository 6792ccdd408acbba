-- Call the next people of one event, in one step: whoever is over gives the slot back, the active
-- are counted, and the free slots are filled from the head. Nothing can happen between taking
-- somebody from the queue and counting them, so a server that dies loses nobody.
--
-- KEYS  room, queue, people, active, back, lobby, ranks, late
-- ARGV  how many at most; the consumer's name; a place, and then the ranks that this place and the
--       following ones became by the shuffle (none where there was no lobby)
-- Returns {code, epoch, number, …}:
--   0  the number is the ms until something may change by itself (-1: never); then per person
--      called: person, place, rank, when called, when the pass ends
--   1  there is no room
--   2  the lobby's end has come: its number of people, this number, must be recorded
--   3  as 0, but calling has stopped at this place, which must be reserved
--   4  as 0, but calling has stopped since the ranks from this place on were not sent
--   5  the lobby of this number of people is cut off and must be shuffled

local EXPIRE_MAX, SKIP_MAX = 1000, 4000
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local room = redis.call('HMGET', KEYS[1], 'stage', 'state', 'rate', 'active_max', 'claim_ms',
	'heartbeat_ms', 'session_ms', 'starts_at', 'serving', 'serving_max', 'tail', 'waiting',
	'admitted', 'cut', 'shuffled_here', 'quiet_until', 'tokens', 'tokens_at',
	'epoch')
if not room[1] then
	return {1, 0, 0}
end
local epoch = tonumber(room[19])
local stage, state = room[1], room[2]
local rate, active_max = tonumber(room[3]), tonumber(room[4])
local claim_ms, heartbeat_ms, session_ms = tonumber(room[5]), tonumber(room[6]), tonumber(room[7])
local starts_at = tonumber(room[8])
local serving, serving_max = tonumber(room[9]), tonumber(room[10])
local tail, waiting, admitted = tonumber(room[11]), tonumber(room[12]), tonumber(room[13])
local cut, quiet_until = tonumber(room[14] or 0), tonumber(room[16])
local tokens, tokens_at = tonumber(room[17]), tonumber(room[18])

-- The slots of those who are over.
local over = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now, 'LIMIT', 0, EXPIRE_MAX)
for _, person in ipairs(over) do
	local record = redis.call('HGET', KEYS[3], person)
	redis.call('ZREM', KEYS[4], person)
	if record and string.sub(record, 1, 1) == 'a' then
		redis.call('HSET', KEYS[3], person, 'x' .. string.sub(record, 2))
	end
end

if stage == 'lobby' and starts_at > 0 and now >= starts_at then
	redis.call('HSET', KEYS[1], 'stage', 'cut', 'state', 'open', 'cut', tail)
	return {2, epoch, tail}
elseif stage == 'cut' then
	return {2, epoch, cut}
elseif stage == 'fixed' then
	return {5, epoch, cut}
end

-- A bucket of one second's worth. A clock that was set back only begins a new interval.
local burst = math.max(1, rate)
if now > tokens_at then
	tokens = math.min(burst, tokens + (now - tokens_at) * rate / 1000)
end
tokens_at = now

local calling = stage == 'line' and (state == 'open' or state == 'draining')
local free = active_max - redis.call('ZCARD', KEYS[4])
local want = 0
if calling and now >= quiet_until then
	want = math.max(0, math.min(free, math.floor(tokens), tonumber(ARGV[1])))
end

local reply, stopped_at = {0, epoch, -1}, nil

-- Whether the person still waits with this very place (or rank); if so, they are active now.
local function call_person(person, place, rank)
	local record = redis.call('HGET', KEYS[3], person)
	if not record then
		return false
	end
	local kind, number, second = string.match(record, '^(%a)(%d+),?(%d*)')
	if kind == 'r' then
		if tonumber(number) ~= rank then
			return false
		end
	elseif kind == 'w' then
		if tonumber(number) ~= place then
			return false
		end
		rank = second ~= '' and tonumber(second) or 0
	else
		return false
	end
	local ends = now + math.min(claim_ms, heartbeat_ms, session_ms)
	redis.call('HSET', KEYS[3], person, string.format('a%d,%d,%d,0', place, rank, now))
	redis.call('ZADD', KEYS[4], ends, person)
	reply[#reply + 1] = person
	reply[#reply + 1] = place
	reply[#reply + 1] = rank
	reply[#reply + 1] = now
	reply[#reply + 1] = now + math.min(claim_ms, session_ms)
	waiting = waiting - 1
	admitted = admitted + 1
	return true
end

-- Who has this rank of the lobby.
local function person_of_rank(rank)
	local entry = redis.call('XRANGE', KEYS[6], rank .. '-1', rank .. '-1')[1]
	if entry and entry[2][1] == 'p' then
		return entry[2][2]
	end
	return redis.call('HGET', KEYS[7], rank) or redis.call('HGET', KEYS[8], rank)
end

-- Take the entry at the head of the queue out of it: the group goes on to the next one.
local function take_from_queue(id)
	redis.call('XREADGROUP', 'GROUP', 'admission', ARGV[2], 'COUNT', 1,
		'STREAMS', KEYS[2], '>')
	redis.call('XACK', KEYS[2], 'admission', id)
	redis.call('XDEL', KEYS[2], id)
end

-- The entry at the head of the queue, without taking it: {place, person, id}. Entries that are
-- none of ours are taken and thrown away.
local function head_of_queue()
	for _ = 1, SKIP_MAX do
		local entry = redis.call('XRANGE', KEYS[2], '-', '+', 'COUNT', 1)[1]
		if not entry then
			return nil
		end
		local place, sequence = string.match(entry[1], '^(%d+)-(%d+)$')
		if sequence == '1' and entry[2][1] == 'p' and #entry[2] == 2 and
				tonumber(place) <= tail then
			return {tonumber(place), entry[2][2], entry[1]}
		end
		take_from_queue(entry[1])
		redis.call('HINCRBY', KEYS[1], 'poison', 1)
	end
	return nil
end

local called, looked_at = 0, 0
local shuffled = room[15] == '1'
local hint = tonumber(ARGV[3] or 0)
while called < want and looked_at < SKIP_MAX do
	looked_at = looked_at + 1
	local back = redis.call('ZRANGE', KEYS[5], 0, 0, 'WITHSCORES')
	local back_place = back[2] and tonumber(back[2])
	local from_lobby = shuffled and serving < cut
	local head = not from_lobby and head_of_queue() or nil
	local place = from_lobby and serving + 1 or head and head[1]
	if back_place and (not place or back_place <= place) then
		place = back_place
	end
	if not place then
		break
	end
	if place > serving_max then
		stopped_at = place
		break
	end
	if place == back_place then
		redis.call('ZREM', KEYS[5], back[1])
		called = called + (call_person(back[1], place, 0) and 1 or 0)
	elseif from_lobby then
		local rank = tonumber(ARGV[4 + place - hint] or 0)
		if rank == 0 or place < hint then
			reply[1], reply[3] = 4, place
			break
		end
		local person = person_of_rank(rank)
		called = called + (person and call_person(person, place, rank) and 1 or 0)
	else
		take_from_queue(head[3])
		called = called + (call_person(head[2], place, 0) and 1 or 0)
	end
	serving = math.max(serving, place)
end
tokens = tokens - called

redis.call('HSET', KEYS[1], 'serving', serving, 'waiting', waiting, 'admitted', admitted,
	'tokens', string.format('%.6f', tokens), 'tokens_at', tokens_at)

if stopped_at then
	reply[1], reply[3] = 3, stopped_at
elseif looked_at >= SKIP_MAX then
	reply[3] = 1
elseif reply[1] == 0 then
	local next_ms = -1
	local function no_later_than(ms)
		ms = math.max(1, math.ceil(ms))
		if next_ms < 0 or ms < next_ms then
			next_ms = ms
		end
	end
	if stage == 'lobby' and starts_at > 0 then
		no_later_than(starts_at - now)
	end
	if calling and waiting > 0 and now < quiet_until then
		no_later_than(quiet_until - now)
	elseif calling and waiting > 0 and free - called > 0 then
		no_later_than((1 - tokens) * 1000 / rate)
	end
	local first = redis.call('ZRANGE', KEYS[4], 0, 0, 'WITHSCORES')
	if first[2] then
		no_later_than(tonumber(first[2]) - now)
	end
	reply[3] = next_ms
end
return reply
