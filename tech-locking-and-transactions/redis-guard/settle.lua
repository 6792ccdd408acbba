-- The store has answered: keys of what was granted live as long as the hold, nearly; the others go.
--
-- KEYS  "sg:{event}:"
-- ARGV  how long it stays known that a seat exists, ms; then per request: what to do, the hold's
--       id, until when its keys live (Unix ms by this clock), its version, the number of its seats,
--       and these. What to do:
--   keep   it was granted just now
--   end    it was granted earlier, and may be over: the pending keys go, the record stays
--   taken  it was refused, and its seats exist: keys and record go
--   drop   it was refused, or nothing was done: keys and record go
--   other  the id is another request's: the keys go, the record stays
--   known  nothing but that its seats exist
--
-- A key that is another's by now is left alone, and one that says sold already goes on saying so.

local prefix, known_ms = KEYS[1], ARGV[1]
local generation = redis.call('GET', prefix .. 'generation') or '0'
local seat_prefix = prefix .. 'seat:' .. generation .. ':'
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local function settle(seat, action, hold, ends, version)
	local name = seat_prefix .. seat
	local value = redis.call('GET', name)
	if value and string.sub(value, 1, 36) == hold then
		local pending = string.sub(value, 38) == 'pending'
		if action ~= 'keep' or ends <= now then
			redis.call('DEL', name)
		elseif pending then
			redis.call('SET', name, hold .. ' held ' .. version, 'PXAT', ends)
		end
	end
end

local exist, at = {}, 2
while at <= #ARGV do
	local action, hold, ends = ARGV[at], ARGV[at + 1], tonumber(ARGV[at + 2])
	local version, count = ARGV[at + 3], tonumber(ARGV[at + 4])
	for i = at + 5, at + 4 + count do
		if action ~= 'drop' and action ~= 'other' then
			exist[#exist + 1] = ARGV[i]
		end
		if action ~= 'known' then
			settle(ARGV[i], action, hold, ends, version)
		end
	end
	if action == 'taken' or action == 'drop' then
		redis.call('DEL', prefix .. 'hold:' .. hold)
	end
	at = at + 5 + count
end
if #exist > 0 then
	redis.call('SADD', prefix .. 'known', unpack(exist))
	redis.call('PEXPIRE', prefix .. 'known', known_ms)
end
return redis.status_reply('OK')
