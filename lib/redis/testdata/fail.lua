-- Fail as ARGV[1] says, behind a write to KEYS[1] where ARGV[2] is there.
if ARGV[2] then
	redis.call('INCR', KEYS[1])
end
if ARGV[1] == 'runtime' then
	local nothing
	return nothing.field
end
return redis.error_reply(ARGV[1])
