-- Put people at the back of one event's line. All or nothing is decided before the first write.
--
-- KEYS  room, queue, lobby, people, back, ranks, late
-- ARGV  per request: person, token place, token rank, token epoch (0 without a token)
-- Returns {code, epoch, number, …}:
--   0  the number is 1 when ranks have become places; then per request: outcome (0 new, 1 again,
--      2 restored, 4 closed), record
--   1  there is no room
--   2  the lobby's end has come: its number of people, this number, must be recorded first
--   3  places must be reserved first, up to this number
--   4  somebody shows a rank, and ranks have become places: send the place
--
-- The records of people, one small text each (the hash has millions of them):
--   r<rank>                                    in the lobby, or waiting by its rank
--   w<place>,<rank>                            waiting; the rank only when it had one
--   a<place>,<rank>,<admitted>,<claimed>       active; the deadline stands in the active set
--   x… and l…                                  as a…: over by itself, and left

local room = redis.call('HMGET', KEYS[1],
	'epoch', 'stage', 'state', 'tail', 'tail_max', 'starts_at', 'cut', 'waiting')
if not room[1] then
	return {1, 0, 0}
end
local epoch, stage, state = tonumber(room[1]), room[2], room[3]
local tail, waiting = tonumber(room[4]), tonumber(room[8])

if stage == 'lobby' and tonumber(room[6]) > 0 then
	local time = redis.call('TIME')
	if time[1] * 1000 + math.floor(time[2] / 1000) >= tonumber(room[6]) then
		redis.call('HSET', KEYS[1], 'stage', 'cut', 'state', 'open', 'cut', tail)
		stage, room[7] = 'cut', tail
	end
end
if stage == 'cut' then
	return {2, epoch, tonumber(room[7])}
end
local count = #ARGV / 4
if tail + count > tonumber(room[5]) then
	return {3, epoch, tail + count}
end

local people = {}
for i = 1, count do
	people[i] = ARGV[4 * i - 3]
	local of_the_past = tonumber(ARGV[4 * i]) > 0 and tonumber(ARGV[4 * i]) < epoch
	if stage == 'line' and of_the_past and ARGV[4 * i - 2] == '0' and
			ARGV[4 * i - 1] ~= '0' then
		return {4, epoch, 0}
	end
end
local known = redis.call('HMGET', KEYS[4], unpack(people))
local fresh, changes, reply = {}, {}, {0, epoch, stage == 'line' and 1 or 0}

local function remember(person, record)
	fresh[person] = record
	changes[#changes + 1] = person
	changes[#changes + 1] = record
	if #changes >= 4000 then
		redis.call('HSET', KEYS[4], unpack(changes))
		changes = {}
	end
end

-- A place from an earlier epoch: kept, unless the person has got a smaller one since.
local function restore_place(person, record, place, rank)
	if place > tail then
		return record
	end
	if record and (string.sub(record, 1, 1) ~= 'w' or
			tonumber(string.match(record, '%d+')) <= place) then
		return record
	end
	if not record then
		waiting = waiting + 1
	end
	redis.call('ZADD', KEYS[5], place, person)
	return rank > 0 and 'w' .. place .. ',' .. rank or 'w' .. place
end

-- A rank from an earlier epoch. The list of a lobby that is being shuffled must not change any
-- more, so whoever comes back at that moment is kept apart from it.
local function restore_rank(person, record, rank)
	if rank > tail or (stage == 'fixed' and rank > tonumber(room[7])) then
		return record
	end
	if record and (string.sub(record, 1, 1) ~= 'r' or
			tonumber(string.match(record, '%d+')) <= rank) then
		return record
	end
	if not record then
		waiting = waiting + 1
	end
	redis.call('HSET', stage == 'lobby' and KEYS[6] or KEYS[7], rank, person)
	return 'r' .. rank
end

-- The entry's id is the place. Should somebody else have written a larger id into the stream, Redis
-- refuses ours; then the person waits in the sorted set, and is called at the same turn.
local function queue_up(person)
	tail = tail + 1
	waiting = waiting + 1
	local in_lobby = stage == 'lobby'
	local stream = in_lobby and KEYS[3] or KEYS[2]
	local added = redis.pcall('XADD', stream, tail .. '-1', 'p', person)
	if type(added) == 'table' and added.err then
		if in_lobby then
			redis.call('HSET', KEYS[6], tail, person)
		else
			redis.call('ZADD', KEYS[5], tail, person)
		end
	end
	return (in_lobby and 'r' or 'w') .. tail
end

for i = 1, count do
	local person = people[i]
	local place, rank = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])
	local token_epoch = tonumber(ARGV[4 * i])
	local record = fresh[person] or known[i]
	local after, outcome = record, 1
	if token_epoch > 0 and token_epoch < epoch then
		if place > 0 then
			after = restore_place(person, record, place, rank)
		elseif rank > 0 then
			after = restore_rank(person, record, rank)
		end
	end
	if after ~= record then
		outcome = 2
	elseif not record then
		outcome = (state == 'closed' or state == 'draining') and 4 or 0
		after = outcome == 0 and queue_up(person) or ''
	end
	if after ~= record and after ~= '' then
		remember(person, after)
	end
	reply[#reply + 1] = outcome
	reply[#reply + 1] = after
end
if #changes > 0 then
	redis.call('HSET', KEYS[4], unpack(changes))
end
redis.call('HSET', KEYS[1], 'tail', tail, 'waiting', waiting)
return reply
