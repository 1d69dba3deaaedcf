-- Raises a number that is noted, and never lowers it.
--
-- KEYS: where it is noted. ARGV: the number.
--
-- Answers what is noted now; what is no number is left as it is.

local noted = redis.call('GET', KEYS[1])
if noted and (not string.find(noted, '^%d+$') or tonumber(noted) >= tonumber(ARGV[1])) then
    return noted
end
redis.call('SET', KEYS[1], ARGV[1])
return ARGV[1]
