-- Take numbers: KEYS[1] counts; ARGV are the names. Answers each name with its number, and the
-- "quoted \ text" that shows that a script arrives as it stands in its file.
local taken = {}
for index, name in ipairs(ARGV) do
	taken[index] = { name, redis.call('INCR', KEYS[1]) }
end
taken[#taken + 1] = "quoted \\ \"text\""
return taken
